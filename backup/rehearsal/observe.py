"""What a server says of the data: tables, rows by partition with a hash of what clients read, views, times."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreError
from ares.model.row import Row
from ares.store import Database, RowWriter
from ares.store.export import digest_of_rows
from ares.store.migrate import Applied, migrate
from ares.store.partitions import whole_name
from ares.store.pool import as_int, as_str
from backup.rehearsal.compare import Observed, Partition, Table, View
from backup.rehearsal.scratch import QUERIES
from backup.restore.scratch import STATEMENT_S_MAX

APPLIED_S_MAX = 600.0
ROUNDS = 3
UNPARTITIONED = "NONE"
SMOKE_ROWS = 10_000


async def observe(
    config: DatabaseConfig, start_s: float, clock: Clock, columns: Mapping[str, Sequence[str]] | None = None
) -> Observed:
    """Look at all of it; `columns`: those of each table that are hashed, where others were added since."""
    async with await Database.connect(config) as database:
        await database.wait_applied(None, APPLIED_S_MAX)
        began_s = clock.monotonic_s()
        tables: dict[str, Table] = {}
        for row in await database.fetch(QUERIES["tables"]):
            name = as_str(row["name"])
            place = Place(name, str(row["clock"] or ""), as_str(row["unit"]))
            tables[name] = await _table(config, database, place, (columns or {}).get(name))
        scan_s = clock.monotonic_s() - began_s
        views = {
            as_str(row["name"]): await _view(
                database, as_str(row["name"]), as_str(row["kind"]), str(row["status"]), clock
            )
            for row in await database.fetch(QUERIES["views"])
        }
    return Observed(config.questdb_version, start_s, tables, views, scan_s)


@dataclass(frozen=True, slots=True)
class Place:
    """A table, its column of time (empty: it has none) and the unit of its partitions."""

    name: str
    clock: str
    unit: str


async def _table(config: DatabaseConfig, database: Database, place: Place, wanted: Sequence[str] | None) -> Table:
    name = place.name
    types = {as_str(r["name"]): as_str(r["type"]) for r in await database.fetch(QUERIES["columns"], {"table": name})}
    counts: dict[str, int] = {}
    for row in await database.fetch(QUERIES["partitions"], {"table": name}):
        partition = whole_name(as_str(row["name"]), place.unit)
        counts[partition] = counts.get(partition, 0) + as_int(row["rows"])
    listed = ", ".join(f'"{column}"' for column in (wanted or sorted(types)))
    found: dict[str, Partition] = {}
    for partition, rows in sorted(counts.items()):
        asked = "partition_rows" if place.clock and place.unit != UNPARTITIONED else "all_rows"
        sql = QUERIES[asked].format(columns=listed, table=name, clock=place.clock, partition=partition)
        found[partition] = Partition(rows, await asyncio.to_thread(digest_of_rows, config, sql, STATEMENT_S_MAX))
    return Table(types, found)


async def _view(database: Database, name: str, kind: str, status: str, clock: Clock) -> View:
    times: list[float] = []
    for _ in range(ROUNDS):
        began_s = clock.monotonic_s()
        try:
            await database.fetch(QUERIES["view_rows"].format(view=name))
        except StoreError as error:
            return View(kind, status, 0.0, str(error))
        times.append(clock.monotonic_s() - began_s)
    return View(kind, status, median(times), "")


async def migrated(config: DatabaseConfig, clock: Clock) -> Applied:
    """Bring the copy to this release's schema, which must work on the other version too."""
    writer = RowWriter(config)
    try:
        async with await Database.connect(config) as database:
            return await migrate(database, writer, clock)
    finally:
        await writer.close()


async def smoke(config: DatabaseConfig, clock: Clock) -> str:
    """Write over line protocol, twice the same, and read over the PostgreSQL wire; says what was wrong, or nothing."""
    start_ns = clock.now_ns() - clock.now_ns() % NANOS_PER_SECOND
    rows = [
        Row("rehearsal_smoke", start_ns + n, {"side": "buy"}, {"n": n, "price": Decimal(n), "note": hashed(n)})
        for n in range(SMOKE_ROWS)
    ]
    writer = RowWriter(config)
    try:
        async with await Database.connect(config) as database:
            await database.execute(QUERIES["smoke_table"])
            await writer.write(rows)
            await writer.write(rows)
            await database.wait_applied(["rehearsal_smoke"], APPLIED_S_MAX)
            found = await database.fetch_one(QUERIES["smoke_count"])
            await database.execute(QUERIES["smoke_drop"])
    finally:
        await writer.close()
    due = {"rows": SMOKE_ROWS, "numbers": SMOKE_ROWS, "total": Decimal(SMOKE_ROWS * (SMOKE_ROWS - 1) // 2)}
    return "" if found == due else f"wrote {due}, read {found}"


def hashed(n: int) -> str:
    """Some text that is always the same."""
    return hashlib.sha256(str(n).encode()).hexdigest()
