"""A copy of the control store while it is written to, and a look at whether a copy is whole."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from ares.control.second_copy import CURSOR, LINE, LINE_SINCE
from ares.errors import ControlUnavailable, UsageError


@dataclass(frozen=True, slots=True)
class Copied:
    """What a copy says of itself: the last transaction of the second copy that is in it (0: there is no second copy),
    the restore after which it was made (0: none), and which market backup that one took (UTC ns).
    """

    number: int
    line: int
    line_since: int


def sqlite_file(url: str) -> Path | None:
    """The file of a store's URL; None for Postgres, whose copy is another matter."""
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


def copy_sqlite(source: Path, target: Path) -> Copied:
    """Write what is committed now into a file of its own, replacing it; writers go on meanwhile.

    Raises `ControlUnavailable`.
    """
    draft = target.with_name(f".{target.name}.new")
    draft.unlink(missing_ok=True)
    try:
        with closing(_readonly(source)) as there, closing(sqlite3.connect(draft)) as here:
            there.backup(here)  # in one step: in steps it would begin anew with every commit
            here.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            copied = Copied(*(_cursor(here, name) for name in (CURSOR, LINE, LINE_SINCE)))
        draft.chmod(0o600)
        draft.replace(target)
    except (sqlite3.Error, OSError) as error:
        raise ControlUnavailable(f"control store {source}: no copy could be made: {error}") from None
    return copied


def require_whole(path: Path) -> None:
    """Raises `UsageError` for a file that is no store, or is damaged."""
    try:
        with closing(_readonly(path)) as store:
            (verdict,) = store.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        raise UsageError(f"control store {path}: {verdict}. Restore an older journal with --at")


def _readonly(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=10)


def _cursor(store: sqlite3.Connection, name: str) -> int:
    found = store.execute("SELECT seq FROM cursors WHERE name = ?", (name,)).fetchone()
    return 0 if found is None else int(found[0])
