"""An analyst's own features and signals: a file becomes a view while everything runs, once it is shown to be sound.

What is deployed lies in a folder (`features.own_dir`) and is brought again with every migration. A version that has
frozen values never changes its meaning; the stable name moves only when told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from analytics.catalog import FOLDERS, Catalog, Definition, Kind, catalog_of, definition_of
from analytics.features.header import parse_header, require_inputs
from analytics.features.worlds import CLONED, rests_on
from ares.errors import UnknownName, UsageError
from ares.files import write_whole
from ares.store import load_queries
from ares.store.lineage import reads_of, same_meaning
from ares.store.migrate import Statement, ordered, statements, table_statements, view_statements
from ares.store.queries import COMMENT, split_statements

QUERIES = load_queries("analytics", "features/own.sql")

VALUE_COLUMNS: Mapping[Kind, tuple[str, ...]] = {
    "feature": ("ts", "venue", "symbol", "value"),
    "signal": ("ts", "venue", "symbol", "target", "confidence", "model_version"),
}
BOUNDS = ("@from", "@to")
RETIRED = "retired"
FILE_MODE = 0o644
_CREATED = re.compile(r"CREATE\s+OR\s+REPLACE\s+VIEW\s+(\w+)\s+AS\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Own:
    """The folder of what analysts deployed here."""

    folder: Path

    def statements(self) -> list[Statement]:
        """Every view in it, aliases too. Raises `UsageError` for a file that holds something else."""
        return statements(self.folder) if self.folder.is_dir() else []

    def catalog(self) -> Catalog:
        """What Ares brings, and what lies here."""
        return catalog_of(self.folder)

    def file(self, view: Definition) -> Path:
        """Where a version lies."""
        return self.folder / FOLDERS[view.kind] / f"{view.view}.sql"

    def alias_file(self, view: Definition) -> Path:
        """Where its stable name lies."""
        return self.folder / FOLDERS[view.kind] / f"{view.name}.sql"

    def keep(self, view: Definition, *, stable: bool) -> None:
        """Keep a version, and lead the stable name to it if told so or if there is none."""
        self.file(view).parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.file(view), f"{view.sql.rstrip(';')};\n".encode(), FILE_MODE)
        if stable or not self.alias_file(view).exists():
            write_whole(self.alias_file(view), f"{alias_of(view)};\n".encode(), FILE_MODE)

    def retire(self, view: Definition) -> Path:
        """Take a version out of what is brought; its file stays in `retired`."""
        there = self.folder / RETIRED / f"{view.view}.sql.txt"
        there.parent.mkdir(parents=True, exist_ok=True)
        self.file(view).replace(there)
        if self.leads_to(view):
            self.alias_file(view).unlink()
        return there

    def leads_to(self, view: Definition) -> bool:
        """Whether the stable name leads to this version."""
        file = self.alias_file(view)
        return file.exists() and view.view in reads_of(file.read_text(encoding="utf-8"), [view.view])


def alias_of(view: Definition) -> str:
    """The statement that leads the stable name to a version."""
    return QUERIES["stable_name"].replace("this_name", view.name).replace("this_view", view.view)


def read_file(path: Path) -> Definition:
    """The definition in a file, its header read. Raises `UsageError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"FILE = {str(path)!r}: {error.strerror}. Name a .sql file") from None
    except UnicodeDecodeError:
        raise UsageError(f"FILE = {str(path)!r}: not UTF-8. Name a .sql file") from None
    found = split_statements(text)
    created = [_CREATED.search(COMMENT.sub("", sql)) for sql in found]
    if len(found) != 1 or created[0] is None:
        raise UsageError(
            f"FILE = {path.name!r}: wanted is one statement, CREATE OR REPLACE VIEW NAME_vN AS (...), after its header"
        )
    name = created[0][1]
    comment = " ".join(line[2:].strip() for line in found[0].splitlines() if line.startswith("--"))
    kind: Kind = "signal" if name.startswith("signal_") else "feature"
    made = definition_of(kind, Statement(name, "VIEW", found[0], comment, path.name, FOLDERS[kind]), own=True)
    header = parse_header(path.name, found[0])
    if made is None or header.view != name:
        raise UsageError(f"{path.name} = {name!r}: the view and its header are called alike, NAME_vN with N from 1 on")
    if any(bound not in COMMENT.sub("", found[0]) for bound in BOUNDS):
        raise UsageError(
            f"{path.name} = {name!r}: not bounded. DECLARE OVERRIDABLE @from := ..., OVERRIDABLE @to := ..."
        )
    return replace(made, warm_up_bars=max(made.warm_up_bars, header.warm_up_bars))


def require_free(view: Definition, own: Own) -> None:
    """Raises `UsageError` where Ares brings something of this name, or of its stable name."""
    taken = {each.name: each.source for each in (*table_statements(), *view_statements())}
    for name in (view.view, view.name):
        if name in taken:
            raise UsageError(f"{view.source} = {name!r}: Ares brings this name ({taken[name]}). Choose another one")
    others = {each.name for each in own.statements()} - {view.view, view.name}
    if view.name in others:
        raise UsageError(f"{view.source} = {view.name!r}: there is a view of this name. Choose another one")


def require_readable(view: Definition, own: Own) -> None:
    """Raises `UsageError` unless its header names what it reads, and all of that can be proved something of."""
    texts = known_texts(own)
    require_inputs(view.source, view.header(), view.sql, texts)
    unproved = sorted(rests_on(view.sql, texts, view.view) - set(CLONED))
    if unproved:
        raise UsageError(
            f"{view.source} = {', '.join(unproved)}: of what rests on these no proof is made that it does not know the "
            f"future. Read {', '.join(sorted(CLONED))}, or views over them"
        )


def known_texts(own: Own) -> dict[str, str]:
    """Every table (no text) and view by name."""
    texts = {each.name: "" for each in table_statements()}
    return texts | {each.name: each.sql for each in (*view_statements(), *own.statements())}


def readers(view: Definition, own: Own) -> list[str]:
    """Which own views, its stable name aside, read a version or that stable name."""
    names = [view.view, view.name] if own.leads_to(view) else [view.view]
    found = [each.name for each in own.statements() if each.name != view.name and reads_of(each.sql, names)]
    return sorted(set(found) - {view.view})


def own_of(name: str, own: Own) -> Definition:
    """An own version by its full name. Raises `UnknownName`."""
    mine = [d for kind in FOLDERS for d in own.catalog().of(kind) if d.own]
    for each in mine:
        if each.view == name:
            return each
    raise UnknownName("own feature or signal", name, [d.view for d in mine])


def require_same_or_new(view: Definition, deployed: str | None, frozen: int) -> None:
    """Raises `UsageError` where a version would change its meaning under values that are frozen."""
    if deployed is not None and frozen and not same_meaning(deployed, view.sql):
        raise UsageError(
            f"{view.source} = {view.view!r}: {frozen} values of it are frozen, and it would mean something else. "
            f"Call it {view.name}_v{view.version + 1}"
        )


def others_of(own: Own, view: Definition) -> list[Statement]:
    """What lies in the folder besides a version and the stable name that may lead to it."""
    names = {view.view, view.name} if own.leads_to(view) else {view.view}
    return [each for each in ordered(own.statements()) if each.name not in names]
