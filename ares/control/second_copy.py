"""A second copy of what was decided, on another disk: it is there before the commit is acknowledged.

Each transaction that says something gets the next number, kept in the store itself, and is appended to a file as one
line before it is committed. SQLite lets one writer in at a time, so lines stand in the order of numbers. A line whose
commit never came is followed by another of the same number: the last one holds. If none follows, it was the end, and
nobody was told whether it was kept. A store that was restored goes on in a line of its own, which each record names.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, cast

import orjson
from sqlalchemy import Connection, insert, make_url, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError

from ares.control.schema import CURSORS, METADATA
from ares.errors import ConfigError, ControlUnavailable
from ares.telemetry import get_logger, metrics

CURSOR = "second_copy"
LINE, LINE_SINCE = "restored", "restored_since"
"""When the store was last restored (UTC ns; without it: never), and which market backup that took. From then on numbers
are given again that another history has used, perhaps in the same folder.
"""
SEGMENT_RECORDS = 10_000
FOLDER, WHEN_AWAY = "second_copy", "second_copy_away"
"""Where it is and what to do without it, as parameters of the store's URL: every process that opens it obeys."""
_SAID = "ares_said"

Cells = Mapping[str, str | int]
Said = dict[str, list[Cells]]
"""Table → rows that a transaction added."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CopiedTransaction:
    """What one transaction added, under its number; `line`: after which restore, 0 for none."""

    number: int
    said: Mapping[str, Sequence[Cells]]
    line: int = 0


def doubled(url: str, folder: Path, away: str) -> str:
    """A store's URL with its second copy. `away`: what to do while that disk is: refuse or go_on."""
    try:
        with_copy = make_url(url).update_query_dict({FOLDER: str(folder.resolve()), WHEN_AWAY: away})
    except ArgumentError:
        return url  # whoever opens it says what is wrong with it
    return with_copy.render_as_string(hide_password=False)


class SecondCopy:
    """A folder of segments. `refuse`: without it nothing is committed; else an alarm is raised and work goes on."""

    def __init__(self, folder: Path, *, refuse: bool) -> None:
        self.folder = folder
        self._refuse = refuse

    @classmethod
    def of(cls, url: URL) -> tuple[Self | None, URL]:
        """What a store's URL says about it, and the URL without that. Raises `ConfigError` for any but SQLite."""
        folder = url.query.get(FOLDER)
        if not isinstance(folder, str):
            return None, url
        if url.get_backend_name() != "sqlite":
            way_out = "Leave it unset and give Postgres a synchronous standby"
            raise ConfigError("backup.second_copy_dir", folder, "a second copy is made of SQLite only", way_out)
        refuse = url.query.get(WHEN_AWAY, "refuse") == "refuse"
        return cls(Path(folder), refuse=refuse), url.difference_update_query([FOLDER, WHEN_AWAY])

    def begin(self, connection: Connection) -> None:
        """From now on until `put` what this transaction says is remembered."""
        connection.info[_SAID] = cast("Said", {})

    def put(self, connection: Connection) -> None:
        """Number what was said and have it on the other disk. Raises `ControlUnavailable` if it must be there."""
        said: Said = connection.info.pop(_SAID)
        if not said:
            return
        number, line = _next_number(connection)
        try:
            append(self.folder, CopiedTransaction(number, said, line))
        except OSError as error:
            metrics.SECOND_COPY_AWAY.set(1)
            log.error("second_copy_away", folder=str(self.folder), cause=error.strerror, refused=self._refuse)
            if self._refuse:
                raise ControlUnavailable(
                    f"backup.second_copy_dir = {str(self.folder)!r}: {error.strerror}. Make room or bring the disk "
                    "back; backup.second_copy_away = 'go_on' works without it"
                ) from None
        else:
            metrics.SECOND_COPY_AWAY.set(0)


def noted(connection: Connection, table: str, rows: Sequence[Cells]) -> None:
    """Tell the second copy, if there is one, what is being added."""
    said: Said | None = connection.info.get(_SAID)
    if said is not None and rows:
        said.setdefault(str(table), []).extend(rows)


def append(folder: Path, transaction: CopiedTransaction) -> None:
    """Add a line that has reached the disk when this returns. Raises `OSError`.

    The line begins with a line break: one that was torn off before it, by a full disk or a power cut, ends there.
    """
    body = orjson.dumps({"n": transaction.number, "line": transaction.line, "said": transaction.said})
    path = folder / f"{transaction.number // SEGMENT_RECORDS:012d}.jsonl"
    new = not path.exists()
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        line = memoryview(b"\n%08x %b" % (zlib.crc32(body), body))
        while line:
            line = line[os.write(file, line) :]
        os.fdatasync(file)
    finally:
        os.close(file)
    if new:
        _sync_folder(folder)


def copied_after(folder: Path, number: int, line: int = 0) -> Iterator[CopiedTransaction]:
    """What follows a number in a line, up to the first that is missing: behind a hole nothing can be applied."""
    for path in sorted(folder.glob("*.jsonl")):
        if int(path.stem) < (number + 1) // SEGMENT_RECORDS:
            continue
        there = {each.number: each for each in _records(path) if each.line == line}
        for found in sorted(there):
            if found <= number:
                continue
            if found != number + 1:
                return
            yield there[found]
            number = found


def newest_copied(folder: Path) -> tuple[int, int]:
    """The newest line that was copied and its highest number, holes or not; (0, 0): none."""
    found = (each for path in folder.glob("*.jsonl") for each in _records(path))
    return max(((each.line, each.number) for each in found), default=(0, 0))


def prune_copied(folder: Path, number: int) -> int:
    """Remove segments of which everything is at or below a number; returns how many."""
    old = [path for path in folder.glob("*.jsonl") if (int(path.stem) + 1) * SEGMENT_RECORDS - 1 <= number]
    for path in old:
        path.unlink()
    return len(old)


def put_copied(connection: Connection, transaction: CopiedTransaction) -> None:
    """Apply one transaction to a store that has all before it."""
    for table, rows in transaction.said.items():
        connection.execute(insert(METADATA.tables[table]), [dict(row) for row in rows])
    number, _ = _next_number(connection)
    assert number == transaction.number, f"transaction {transaction.number} follows {number - 1}"


def _records(path: Path) -> Iterator[CopiedTransaction]:
    """The whole lines of a segment; torn ones are passed over."""
    for line in path.read_bytes().split(b"\n"):
        checksum, _, body = line.partition(b" ")
        if body and checksum == b"%08x" % zlib.crc32(body):
            record = orjson.loads(body)
            yield CopiedTransaction(record["n"], record["said"], record.get("line", 0))


def _next_number(connection: Connection) -> tuple[int, int]:
    """The next number, taken, and the line it is of."""
    mine = CURSORS.c.name.in_((CURSOR, LINE))
    found = {row.name: row.seq for row in connection.execute(select(CURSORS).where(mine))}
    number = found.get(CURSOR, 0) + 1
    if number == 1:
        connection.execute(insert(CURSORS), {"name": CURSOR, "seq": number})
    else:
        connection.execute(update(CURSORS).where(CURSORS.c.name == CURSOR).values(seq=number))
    return number, found.get(LINE, 0)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
