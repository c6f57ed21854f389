"""What migrating would do, before it does it: statements, what they touch, who would notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ares.store.migrate import (
    Statement,
    missing_views,
    ordered,
    pending_migrations,
    references,
    require_views_kept,
    table_names,
    table_statements,
    view_statements,
)
from ares.store.migrations import Migration
from ares.store.pool import Database, Record


@dataclass(frozen=True, slots=True)
class Planned:
    """One thing that would be done. `online`: what it means for who writes and reads meanwhile."""

    what: str
    phase: str
    name: str
    statement: str
    touches: str
    online: str

    def shown(self) -> dict[str, object]:
        """A row for people and programs."""
        return {name: getattr(self, name) for name in self.__slots__}


async def plan(database: Database) -> list[Planned]:
    """Everything that `migrate` with `post` would do, in its order. Raises `UsageError` where it would refuse."""
    there = await table_names(database)
    fresh = "schema_migrations" not in there
    views = ordered(view_statements())
    pending = [] if fresh else await pending_migrations(database)
    await require_views_kept(database, pending)
    found = [
        Planned("table", "", table.name, _line(table.sql), table.name, "yes: at once")
        for table in table_statements()
        if table.name not in there
    ]
    found += _steps(pending, "pre", views)
    todo = views if fresh else await missing_views(database, views)
    names = {view.name: view for view in views} | {table.name: table for table in table_statements()}
    found += [_view(view, names) for view in todo]
    return found + _steps(pending, "post", views)


async def waiting_migrations(database: Database) -> list[Record]:
    """Migrations that did not run here yet, as rows of `ares db status`."""
    if "schema_migrations" not in await table_names(database):
        return []
    return [
        {"name": each.name, "kind": "migration", "state": f"pending {each.phase}", "lag": None}
        for each in await pending_migrations(database)
    ]


def _steps(pending: Sequence[Migration], phase: str, views: Sequence[Statement]) -> list[Planned]:
    return [
        Planned(
            "migration",
            phase,
            migration.name,
            _line(step.sql),
            ", ".join([step.table, *sorted(v.name for v in views if references(v.sql, {step.table: v}))]),
            f"yes: {step.kind.effect}",
        )
        for migration in pending
        if migration.phase == phase
        for step in migration.steps
    ]


def _view(view: Statement, names: Mapping[str, Statement]) -> Planned:
    read = ", ".join(sorted(references(view.sql, names) - {view.name}))
    how = "built from its history, then shown" if view.kind == "MATERIALIZED VIEW" else "readers see one or the other"
    return Planned("view", "", view.name, _line(view.sql), f"reads {read}", f"yes: {how}")


def _line(sql: str, characters_max: int = 100) -> str:
    bare = " ".join(line for line in sql.splitlines() if not line.startswith("--"))
    text = " ".join(bare.split())
    return text if len(text) <= characters_max else text[: characters_max - 1] + "…"
