"""A captured session of a venue whose trade ids have holes, replayed: its rows are those of the live run, always."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ingest.gaps import Gap, Where
from ingest.replay.keeping import Figures
from ingest.replay.reading import files_of
from ingest.replay.replaying import Order, Replay
from tests.bybit import Bybit, be_impatient, serving, with_a_past
from tests.integration.test_bybit_service import BACKFILLED, BTC, GAPS, OPEN, SYMBOLS, context_of, running, topics_of

TRADES = """
SELECT ts::long AS ts, symbol, side, trade_id, seq, price, amount
FROM trades WHERE venue = %(venue)s ORDER BY symbol, ts, seq
"""
ROWS = "SELECT count() AS n FROM {table} WHERE venue = %(venue)s"
TABLES = ("trades", "quotes", "books", "funding", "gaps", "quarantine")
MISSING = """
SELECT status, healed_by, started_at::long / 1000000 AS started_ms, ended_at::long / 1000000 AS ended_ms
FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades' LATEST ON ts PARTITION BY gap_id)
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    be_impatient(monkeypatch)


@pytest.fixture(params=["spot", "linear"])
def there(request: pytest.FixtureRequest) -> Bybit:
    return with_a_past(request.param)


@pytest.fixture
def collecting(questdb_config: DatabaseConfig, venue: str, port: int, tmp_path: Path, there: Bybit) -> ServiceContext:
    return context_of(questdb_config, venue, port, tmp_path, there.category)


@pytest.fixture
async def context(collecting: ServiceContext, database: Database, port: int, there: Bybit) -> ServiceContext:
    """A session that is over: a break that heals, then one of which the newest page reaches only a part."""
    context = collecting
    capturing = {"capture": True, "capture_flush_s": 0.05, "capture_disk_free_mb_min": 0}
    ingest = context.config.ingest.model_copy(update=capturing)
    context.config = context.config.model_copy(update={"ingest": ingest})
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(topics_of(there))
        await there.trade(BTC)
        await there.quote(BTC)
        await there.book(BTC)
        await run.until(BACKFILLED, 1)
        for healed, missed in enumerate((3, 40), start=1):
            there.accepts, there.page_max = False, 20
            await there.hang_up()
            for _ in range(missed):
                await there.trade(BTC)
            there.accepts = True
            await there.subscribed(topics_of(there))
            await there.trade(BTC)
            await run.until(GAPS, healed, status="healed", cause="disconnect")
            await run.until(OPEN, 0)
        assert await run.number(GAPS, status="lost", cause="disconnect") > 0
    return context


async def replayed(config: AresConfig, venue: str | None) -> Mapping[str, Figures]:
    folder = config.environment.state_dir / "capture" / config.ingest.venue
    task = Replay(config, Order(files_of([folder]), venue=venue), SystemClock(), lambda _share, _frames: None)
    outcome = await task.run(Backoff(0.05, 0.1, random.Random(1)))
    assert (outcome.lost, outcome.damaged) == (0, [])
    return {each.table: each for each in outcome.tables}


async def counts(database: Database, venue: str) -> list[int]:
    await database.wait_applied(list(TABLES))
    found = [await database.fetch_one(ROWS.format(table=table), {"venue": venue}) for table in TABLES]
    return [int(str(record["n"])) for record in found if record is not None]


async def test_replay_gives_the_trades_and_the_missing_times_of_the_live_run_however_often(
    context: ServiceContext, database: Database
) -> None:
    live = context.config.ingest.venue
    await database.wait_applied(list(TABLES))
    trades = await database.fetch(TRADES, {"venue": live})
    assert len(trades) > 30
    again = f"{live}_again"
    await replayed(context.config, again)
    first = await counts(database, again)
    assert await database.fetch(TRADES, {"venue": again}) == trades
    lost = [row for row in await database.fetch(MISSING, {"venue": live}) if row["status"] == "lost"]
    assert await database.fetch(MISSING, {"venue": again}) == lost
    for _ in range(2):
        tables = await replayed(context.config, again)
        assert tables["trades"].known == tables["trades"].rows
        assert await counts(database, again) == first


async def test_replay_onto_what_was_recorded_changes_no_row(context: ServiceContext, database: Database) -> None:
    live = context.config.ingest.venue
    before = await counts(database, live)
    for _ in range(3):
        tables = await replayed(context.config, None)
        assert tables["trades"].known == tables["trades"].rows
        assert [tables[name].written for name in ("trades", "quotes", "books", "gaps")] == [0, 0, 0, 0]
    assert await counts(database, live) == before


async def test_a_gap_that_a_capture_fills_is_healed_by_replay_and_only_that(
    context: ServiceContext, database: Database, writer: RowWriter
) -> None:
    live, other = context.config.ingest.venue, f"{context.config.ingest.venue}_other"
    trades = await database.fetch(TRADES, {"venue": live})
    symbol, now_ns = SYMBOLS["spot" if trades[0]["symbol"] == SYMBOLS["spot"] else "linear"], SystemClock().now_ns()
    first_ns, last_ns = (int(str(trades[place]["ts"])) for place in (11, 12))
    where = Where(other, symbol, "trades")
    gaps = [
        Gap.opened(where, "disconnect", now_ns, started_ns).closed("lost", "", ended_ns, None)
        for started_ns, ended_ns in ((first_ns, last_ns), (first_ns - 3_600_000_000_000, last_ns))
    ]
    await writer.write([gap.to_row(now_ns) for gap in gaps])
    await replayed(context.config, other)
    await database.wait_applied(list(TABLES))
    found = await database.fetch(MISSING, {"venue": other})
    by_start = {int(str(row["started_ms"])): (row["status"], row["healed_by"]) for row in found}
    assert by_start[first_ns // 1_000_000] == ("healed", "replay")
    assert by_start[first_ns // 1_000_000 - 3_600_000] == ("lost", None)
