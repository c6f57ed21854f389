"""Brings a QuestDB to the schema of this release: tables, then migrations, then every package's views.

Everything is re-runnable: tables and materialized views are created if they are missing, plain views are replaced,
and a migration runs once and leaves a row in `schema_migrations`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from ares.clock import Clock
from ares.errors import StoreRejected, UsageError
from ares.model.row import Row
from ares.store.pool import Database, as_str
from ares.store.writer import RowWriter

NO_OP = "statement is either no-op"
"""How QuestDB 9.3.4 refuses ADD COLUMN IF NOT EXISTS on a WAL table that has the column: what is to be is there."""
VIEWS_GROUP = "ares.views"
MIGRATION_NAME = re.compile(r"^\d{4}_(pre|post)_[a-z0-9_]+\.sql$")
_COMMENT = re.compile(r"--[^\n]*")
_CREATED = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?P<kind>TABLE|VIEW|MATERIALIZED\s+VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?'?(?P<name>\w+)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One DDL statement: what it creates, of which kind, and its comment (its documentation)."""

    name: str
    kind: str
    sql: str
    comment: str
    source: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What a migration run did."""

    tables: int
    migrations: tuple[str, ...]
    views: tuple[str, ...]


async def migrate(database: Database, writer: RowWriter, clock: Clock) -> Applied:
    """Apply everything that is missing, in order; stops at the first refusal with the name of what was refused."""
    tables = table_statements()
    await _apply(database, tables)
    ran = await _run_migrations(database, writer, clock)
    views = await _missing_views(database, ordered(view_statements()))
    await _apply(database, views)
    await _record_views(writer, views, clock)
    return Applied(len(tables), ran, tuple(view.name for view in views))


async def migrate_if_empty(database: Database, writer: RowWriter, clock: Clock) -> Applied | None:
    """`migrate` where tables are missing. Who finds all of them changes nothing: releases may differ for a while."""
    present = {as_str(row["table_name"]) for row in await database.fetch("SELECT table_name FROM tables()")}
    if {statement.name for statement in table_statements()} <= present:
        return None
    return await migrate(database, writer, clock)


def table_statements() -> list[Statement]:
    """The tables as they are now, from `schema/tables/*.sql`."""
    return statements(resources.files("ares.store").joinpath("schema/tables"))


def migration_statements() -> list[tuple[str, list[str]]]:
    """The migrations in order of their number. Raises `UsageError` for a misnamed file."""
    folder = resources.files("ares.store").joinpath("schema/migrations")
    if not folder.is_dir():
        return []
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    for file in files:
        if not MIGRATION_NAME.match(file.name):
            raise UsageError(f"migration = {file.name!r}: misnamed. Call it NNNN_pre_what.sql or NNNN_post_what.sql")
    return [(file.name, split_statements(file.read_text(encoding="utf-8"))) for file in files]


def view_statements() -> list[Statement]:
    """The views of every installed package (entry-point group `ares.views`)."""
    found: list[Statement] = []
    for point in sorted(metadata.entry_points(group=VIEWS_GROUP), key=lambda p: p.name):
        package, _, folder = point.value.rpartition(".")
        found += statements(resources.files(package).joinpath(folder))
    return found


def statements(folder: Traversable) -> list[Statement]:
    """All CREATE statements below a folder, in order of path."""
    found: list[Statement] = []
    for file in _sql_files(folder):
        for sql in split_statements(file.read_text(encoding="utf-8")):
            created = _CREATED.search(_COMMENT.sub("", sql))
            if created is None:
                raise UsageError(f"{file.name} = {sql[:60]!r}: not a CREATE statement. Put queries elsewhere")
            kind = " ".join(created["kind"].upper().split())
            comment = " ".join(line[2:].strip() for line in sql.splitlines() if line.startswith("--"))
            found.append(Statement(created["name"], kind, sql, comment, file.name))
    return found


def _sql_files(folder: Traversable) -> Iterable[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _sql_files(entry)
        elif entry.name.endswith(".sql"):
            yield entry


def split_statements(text: str) -> list[str]:
    """Split a file at its semicolons; those in comments and quotes do not count."""
    parts: list[str] = []
    current: list[str] = []
    for piece in re.findall(r"--[^\n]*|'(?:[^']|'')*'|;|[^;'-]+|-", text):
        if piece == ";":
            parts.append("".join(current).strip())
            current = []
        else:
            current.append(piece)
    parts.append("".join(current).strip())
    return [part for part in parts if _COMMENT.sub("", part).strip()]


def ordered(views: Sequence[Statement]) -> list[Statement]:
    """Views after the views they read. Raises `UsageError` for a cycle or a name used twice."""
    by_name: dict[str, Statement] = {}
    for view in views:
        if view.name in by_name:
            raise UsageError(f"view = {view.name!r}: defined in {by_name[view.name].source} and in {view.source}")
        by_name[view.name] = view
    graph = {view.name: references(view.sql, by_name) - {view.name} for view in views}
    try:
        return [by_name[name] for name in TopologicalSorter(graph).static_order()]
    except CycleError as error:
        raise UsageError(f"views = {error.args[1]}: they read each other. Break the cycle") from None


def references(sql: str, names: Mapping[str, Statement]) -> set[str]:
    """Which of `names` a statement mentions outside its comments."""
    return set(_WORD.findall(_COMMENT.sub("", sql))) & set(names)


async def _apply(database: Database, todo: Iterable[Statement]) -> None:
    for statement in todo:
        try:
            await database.execute(statement.sql)
        except StoreRejected as error:
            raise StoreRejected(f"{statement.kind.lower()} {statement.name} ({statement.source}): {error}") from None


async def _missing_views(database: Database, views: Sequence[Statement]) -> list[Statement]:
    """Plain views are replaced only when their text changed, for each replacement bumps the metadata of readers."""
    rows = await database.fetch("SELECT view_name, digest FROM view_digests LATEST ON ts PARTITION BY view_name")
    known = {as_str(row["view_name"]): row["digest"] for row in rows}
    present = {as_str(r["view_name"]) for r in await database.fetch("SELECT view_name FROM views()")}
    present |= {as_str(r["view_name"]) for r in await database.fetch("SELECT view_name FROM materialized_views()")}
    todo = [view for view in views if view.name not in present or known.get(view.name) != digest(view.sql)]
    for view in todo:
        if view.kind == "MATERIALIZED VIEW" and view.name in present and view.name in known:
            raise UsageError(
                f"materialized view = {view.name!r}: its text changed in {view.source}, but its rows stand already. "
                f'Give it a new version, or run ares db sql "DROP MATERIALIZED VIEW {view.name}" and migrate again'
            )
    return todo


async def _record_views(writer: RowWriter, views: Iterable[Statement], clock: Clock) -> None:
    """Remember the text of what was deployed."""
    await writer.write(
        [
            Row(
                "view_digests",
                clock.now_ns(),
                {"view_name": view.name, "kind": view.kind},
                {"digest": digest(view.sql)},
            )
            for view in views
        ]
    )


async def _run_migrations(database: Database, writer: RowWriter, clock: Clock) -> tuple[str, ...]:
    done = {as_str(row["name"]) for row in await database.fetch("SELECT DISTINCT name FROM schema_migrations")}
    ran: list[str] = []
    for name, parts in migration_statements():
        if name in done:
            continue
        for sql in parts:
            await _migrate_once(database, sql)
        await writer.write([Row("schema_migrations", clock.now_ns(), {"name": name}, {"digest": digest(str(parts))})])
        ran.append(name)
    return tuple(ran)


async def _migrate_once(database: Database, sql: str) -> None:
    try:
        await database.execute(sql)
    except StoreRejected as error:
        if NO_OP not in str(error):
            raise


def digest(sql: str) -> str:
    """A short fingerprint of a statement's text."""
    return hashlib.sha256(sql.encode()).hexdigest()[:16]
