"""Brings a QuestDB to the schema of this release: tables, `pre` migrations, every package's views; `post` in the end.

Everything is re-runnable: tables and materialized views are created if they are missing, plain views are replaced,
and a migration runs until it is done, which leaves a row in `schema_migrations`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from importlib import metadata, resources
from importlib.resources.abc import Traversable

from ares.clock import Clock
from ares.errors import StoreRejected, UsageError
from ares.model.lineage import DEFINING, Graph, Kind, Made, Node, rows_of, run_of
from ares.model.row import Row
from ares.store.catalog import write_catalog
from ares.store.lineage import KEPT, kind_of, read_graph, same_meaning, told, touched_by, views_made
from ares.store.lineage import QUERIES as LINEAGE
from ares.store.migrations import PARTITION, POST, PRE, Migration, Step, migrations, views_broken
from ares.store.partitions import whole_name
from ares.store.pool import Database, as_str
from ares.store.queries import COMMENT, load_queries, split_statements
from ares.store.writer import RowWriter
from ares.telemetry import get_logger

log = get_logger(__name__)

VIEWS_GROUP = "ares.views"
COPY_S_MAX = 600.0
_QUERIES = load_queries("ares.store", "migrate.sql")
_CREATED = re.compile(
    r"CREATE\s+(?:OR\s+REPLACE\s+)?(?P<kind>TABLE|VIEW|MATERIALIZED\s+VIEW)\s+(?:IF\s+NOT\s+EXISTS\s+)?'?(?P<name>\w+)",
    re.IGNORECASE,
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Statement:
    """One DDL statement: what it creates, of which kind, and its comment (its documentation).

    `folder` is the one that its file lies in: features, signals, …
    """

    name: str
    kind: str
    sql: str
    comment: str
    source: str
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a migration run did, and which migrations wait until no older release runs."""

    tables: int
    migrations: tuple[str, ...]
    views: tuple[str, ...]
    waiting: tuple[str, ...] = ()
    made: tuple[Made, ...] = ()


Gate = Callable[[], Awaitable[None]]
Report = Callable[[str], None]


async def migrate(
    database: Database,
    writer: RowWriter,
    clock: Clock,
    changed: Collection[str] = (),
    *,
    post_gate: Gate | None = None,
    known: Sequence[Migration] | None = None,
    report: Report = lambda _: None,
    own: Sequence[Statement] = (),
) -> Applied:
    """Apply everything that is missing, in order; stops at the first refusal with the name of what was refused.

    `post` migrations run only with a `post_gate`, which raises while an older release runs. A database that holds
    nothing yet is made as it is now, without any migration. Writers may write meanwhile. A plain view whose meaning
    changed is replaced only if nothing that stays was made from it, or if it is named in `changed`. Views of users'
    `own` come after ours; one that cannot be is left out and logged.
    """
    fresh = "schema_migrations" not in await table_names(database)
    tables = table_statements()
    await _apply(database, tables)
    if fresh:
        await _record(writer, migrations() if known is None else known, clock)
    pending = [] if fresh else await pending_migrations(database, known)
    await require_views_kept(database, pending)
    first = [each for each in pending if each.phase == PRE]
    await _run(database, writer, clock, first, report)
    deployed = ordered(view_statements())
    views = await missing_views(database, deployed)
    await _require_harmless(database, views, changed)
    replaced = with_readers(views, deployed)
    await _apply(database, replaced)
    kept = await deploy_own(database, writer, own, clock, replaced)
    await _record_views(writer, views, clock)  # last: who is killed before makes all of them anew the next time
    made = await _record_lineage(database, writer, [*tables, *deployed, *kept], clock)
    await write_catalog(database, writer, [*tables, *deployed])
    last = [each for each in pending if each.phase == POST]
    if last and post_gate is not None:
        await post_gate()
        await _run(database, writer, clock, last, report)
        first, last = pending, []
    ran = tuple(each.name for each in first)
    waiting = tuple(each.name for each in last)
    return Applied(len(tables), ran, tuple(view.name for view in views), waiting, tuple(made))


async def pending_migrations(database: Database, known: Sequence[Migration] | None = None) -> list[Migration]:
    """The migrations of this release (or those `known`) that did not run here yet, in order."""
    done = {as_str(row["name"]) for row in await database.fetch("SELECT DISTINCT name FROM schema_migrations")}
    return [each for each in (migrations() if known is None else known) if each.name not in done]


async def require_views_kept(database: Database, pending: Iterable[Migration]) -> None:
    """Raises `UsageError` where a step makes a materialized view invalid.

    A full refresh would bring it back only as far as its table reaches, which is less once rows went to the cold tier.
    """
    rests_on: dict[str, list[str]] = {}
    for row in await database.fetch(_QUERIES["materialized_views"]):
        rests_on.setdefault(as_str(row["base"]), []).append(as_str(row["name"]))
    dropped: set[str] = set()
    for migration in pending:
        for step in migration.steps:
            if step.kind.name == "drop view":
                dropped.add(step.table)
            broken = [view for view in views_broken(step, rests_on) if view not in dropped]
            if broken:
                raise UsageError(
                    f"migration = {migration.name!r}: {step.kind.name} of {step.table} makes the materialized views "
                    f"{', '.join(broken)} invalid. Drop those first, or bring the change as a new table with new views"
                )


async def table_names(database: Database) -> set[str]:
    """All tables that are there."""
    return {as_str(row["table_name"]) for row in await database.fetch("SELECT table_name FROM tables()")}


async def migrate_if_empty(database: Database, writer: RowWriter, clock: Clock) -> Applied | None:
    """`migrate` where tables are missing. Who finds all of them changes nothing: releases may differ for a while."""
    if {statement.name for statement in table_statements()} <= await table_names(database):
        return None
    return await migrate(database, writer, clock)


def table_statements() -> list[Statement]:
    """The tables as they are now, from `schema/tables/*.sql`."""
    return statements(resources.files("ares.store").joinpath("schema/tables"))


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
    for within, file in _sql_files(folder):
        for sql in split_statements(file.read_text(encoding="utf-8")):
            created = _CREATED.search(COMMENT.sub("", sql))
            if created is None:
                raise UsageError(f"{file.name} = {sql[:60]!r}: not a CREATE statement. Put queries elsewhere")
            kind = " ".join(created["kind"].upper().split())
            comment = " ".join(line[2:].strip() for line in sql.splitlines() if line.startswith("--"))
            found.append(Statement(created["name"], kind, sql, comment, file.name, within))
    return found


def _sql_files(folder: Traversable) -> Iterable[tuple[str, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_dir():
            yield from _sql_files(entry)
        elif entry.name.endswith(".sql"):
            yield folder.name, entry


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
    return set(_WORD.findall(COMMENT.sub("", sql))) & set(names)


async def _apply(database: Database, todo: Iterable[Statement]) -> None:
    for statement in todo:
        try:
            await database.execute(statement.sql)
        except StoreRejected as error:
            raise StoreRejected(f"{statement.kind.lower()} {statement.name} ({statement.source}): {error}") from None


def with_readers(changed: Sequence[Statement], views: Sequence[Statement]) -> list[Statement]:
    """Views that change, and of those in their order the plain ones that read them: they are made anew, too.

    QuestDB checks a statement by what each view read when it was made: once a view reads another table, those above it
    are refused until they are made again.
    """
    touched = {view.name: view for view in changed}
    for view in views:
        if view.kind == "VIEW" and references(view.sql, touched) - {view.name}:
            touched[view.name] = view
    return [view for view in views if view.name in touched]


async def deploy_own(
    database: Database,
    writer: RowWriter,
    own: Sequence[Statement],
    clock: Clock,
    replaced: Sequence[Statement] = (),
) -> list[Statement]:
    """Bring views of users' own that are missing or others by now, or that read one of ours that was `replaced`.

    Returns those that are there in the end.
    """
    taken = {each.name for each in (*table_statements(), *view_statements())}
    for view in own:
        if view.name in taken:
            log.error("own_view_refused", view=view.name, cause="Ares brings one of this name")
    views = ordered([view for view in own if view.name not in taken])
    missing = with_readers([*replaced, *await missing_views(database, views)], views)
    refused: set[str] = set()
    for view in missing:
        try:
            await _apply(database, [view])
        except StoreRejected as error:
            refused.add(view.name)
            log.error("own_view_refused", view=view.name, cause=str(error))
    await _record_views(writer, [view for view in missing if view.name not in refused], clock)
    return [view for view in views if view.name not in refused]


async def record_own(database: Database, writer: RowWriter, own: Sequence[Statement], clock: Clock) -> None:
    """Say what views of users' own read."""
    await _record_lineage(database, writer, [*table_statements(), *view_statements(), *own], clock)


async def missing_views(database: Database, views: Sequence[Statement]) -> list[Statement]:
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


async def _require_harmless(database: Database, changing: Sequence[Statement], changed: Collection[str]) -> None:
    """Raises `UsageError` where a view is about to change its meaning under what was made from it."""
    rows = await database.fetch(LINEAGE["deployed_views"]) if changing else []
    deployed = {as_str(row["view_name"]): as_str(row["view_sql"]) for row in rows}
    other = [v for v in changing if v.name in deployed and not same_meaning(deployed[v.name], v.sql)]
    graph = await read_graph(database) if other else Graph(())
    for view in other:
        touched = await touched_by(database, graph, Node(kind_of(view.kind, view.folder), view.name))
        kept = [node for node in touched if node.kind in KEPT]
        if kept and view.name not in changed:
            raise UsageError(
                f"view = {view.name!r}: its meaning changed in {view.source}, but {told(kept)} rest on it. Give it a "
                f"new version, or look at ares data impact {view.name} and run ares db migrate --changed {view.name}"
            )
        if touched:
            log.warning("view_changed", view=view.name, touched=len(touched), kept=len(kept))


async def _record_lineage(
    database: Database, writer: RowWriter, known: Sequence[Statement], clock: Clock
) -> list[Made]:
    """Say what views read, of those of which the newest word is another one or none; returns what was said."""
    kinds: dict[str, Kind] = {each.name: kind_of(each.kind, each.folder) for each in known}
    rows = await database.fetch(LINEAGE["defined"], {"job": DEFINING})
    said = {as_str(row["run_id"]) for row in rows}
    texts = [(each.name, each.sql) for each in known if each.kind != "TABLE"]
    todo = [each for each in views_made(texts, kinds) if run_of(DEFINING, [each]) not in said]
    now_ns = clock.now_ns()
    await writer.write([row for each in todo for row in rows_of(DEFINING, run_of(DEFINING, [each]), now_ns, [each])])
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


async def _run(database: Database, writer: RowWriter, clock: Clock, todo: Iterable[Migration], report: Report) -> None:
    for migration in todo:
        tables = {step.table for step in migration.steps}
        dropped = {step.table for step in migration.steps if step.kind.name == "drop table"}
        gone = dropped - await table_names(database) if dropped else dropped
        for step in migration.steps:
            if step.sliced_by in gone:
                continue  # killed after its drop: what stands before that was done, and has nothing to read any more
            if step.kind.name in {"check", "drop table"}:
                await database.wait_applied(tables, COPY_S_MAX)
            await run_step(database, migration.name, step, report)
        await database.wait_applied(tables, COPY_S_MAX)  # done is what everybody sees
        await _record(writer, [migration], clock)
        report(f"{migration.name}: done")


async def run_step(database: Database, name: str, step: Step, report: Report = lambda _: None) -> None:
    """One step, which may have been done before, in part or whole. Raises `StoreRejected` with the migration's name."""
    whole: Sequence[str | None] = [None]
    sliced = whole if step.sliced_by is None else await _partitions(database, step.sliced_by)
    for number, partition in enumerate(sliced, start=1):
        sql = step.sql if partition is None else step.sql.replace(PARTITION, partition)
        try:
            rows = await database.fetch(sql) if step.kind.name == "check" else []
            if step.kind.name != "check":
                await database.execute(sql)
        except StoreRejected as error:
            if step.kind.done is None or not step.kind.done.search(str(error)):
                raise StoreRejected(f"migration {name}: {error}") from None
            continue
        if rows:
            raise StoreRejected(f"migration {name}: a check failed: {rows[0]}. Nothing after it was run")
        if partition is not None:
            report(f"{name}: {step.kind.name} {step.table}, partition {partition}, {number} of {len(sliced)}")


async def _partitions(database: Database, table: str) -> Sequence[str | None]:
    """The partitions of a table as QuestDB names them in `ts IN '...'`; parts of one that was split count once."""
    await database.wait_applied([table], COPY_S_MAX)
    rows = await database.fetch(_QUERIES["partitions"], {"table": table})
    return sorted({whole_name(as_str(row["name"]), as_str(row["unit"])) for row in rows})


async def _record(writer: RowWriter, done: Iterable[Migration], clock: Clock) -> None:
    await writer.write(
        [Row("schema_migrations", clock.now_ns(), {"name": each.name}, {"digest": each.digest}) for each in done]
    )


def digest(sql: str) -> str:
    """A short fingerprint of a statement's text."""
    return hashlib.sha256(sql.encode()).hexdigest()[:16]
