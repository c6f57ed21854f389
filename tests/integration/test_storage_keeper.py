"""An invalid view is built anew only where nothing is lost by it. Suspended tables: see `test_full_disk.py`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.service.storage import StorageKeeper
from ares.store import Database

ROWS = "INSERT INTO kept_base VALUES ('2024-01-02T03:04:05Z', 1.0), ('2024-01-05T00:00:00Z', 2.0)"
VIEW = "SELECT count() AS n FROM kept_view"
STATUS = "SELECT view_status AS status FROM materialized_views() WHERE view_name = 'kept_view'"


@pytest.fixture
async def kept(database: Database) -> AsyncIterator[Database]:
    """A table of two days, and a view of it."""
    await database.execute("CREATE TABLE kept_base (ts TIMESTAMP, x DOUBLE) TIMESTAMP(ts) PARTITION BY DAY WAL")
    await database.execute(
        "CREATE MATERIALIZED VIEW kept_view AS (SELECT ts, sum(x) AS x FROM kept_base SAMPLE BY 1h) PARTITION BY DAY"
    )
    await database.execute(ROWS)
    await until(database, VIEW, 2)
    yield database
    await database.execute("DROP MATERIALIZED VIEW kept_view")
    await database.execute("DROP TABLE kept_base")


async def until(database: Database, sql: str, expected: object) -> None:
    async with asyncio.timeout(30):
        while (row := await database.fetch_one(sql)) is None or next(iter(row.values())) != expected:
            await asyncio.sleep(0.05)


async def test_an_invalid_view_is_rebuilt_only_while_its_base_holds_all_of_it(
    kept: Database, questdb_config: DatabaseConfig
) -> None:
    keeper = StorageKeeper(questdb_config, SystemClock())
    await kept.execute("TRUNCATE TABLE kept_base")
    await until(kept, STATUS, "invalid")
    await kept.execute("INSERT INTO kept_base VALUES ('2024-01-05T00:00:00Z', 2.0)")
    await keeper.look(kept)
    assert "kept_view" in keeper.trouble
    await until(kept, STATUS, "invalid")
    await until(kept, VIEW, 2)
    await kept.execute(ROWS)
    await until(kept, "SELECT count() AS n FROM kept_base", 3)
    again = StorageKeeper(questdb_config, SystemClock())
    await again.look(kept)
    await until(kept, STATUS, "valid")
    await again.look(kept)
    assert "kept_view" not in again.trouble
