"""Imported trades and a service that records: nobody misses what was never recorded, and no hole stays unsaid."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.model.market import Trade
from ares.resilience import Backoff
from ares.store import Database, RowWriter
from ingest.archive import archived, kept_from_ns
from ingest.imports.importer import Figures, Order, import_files
from ingest.recovery import Recovery
from tests.integration.test_ingest_service import (
    BACKFILLED,
    HISTORY_TRADES,
    IDS,
    TRADES,
    Running,
    Venue,
    context_of,
    running,
    serving,
)

SYMBOL = "BTC/USDT"
HOLES = (
    "SELECT cause, status, first_seq, last_seq FROM (SELECT * FROM gaps WHERE venue = %(venue)s "
    "AND symbol = 'BTC/USDT' AND channel = 'trades' LATEST ON ts PARTITION BY gap_id) "
    "WHERE status <> 'healed' ORDER BY first_seq"
)
OURS = "SELECT min(seq) FROM trades WHERE venue = %(venue)s AND symbol = 'BTC/USDT' AND source <> 'import'"
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.3)
    monkeypatch.setattr("ingest.healing.LOOK_AGAIN_S", 0.1)


@pytest.fixture
def place(port: int, tmp_path: Path) -> tuple[int, Path]:
    """Where the venue listens and the service keeps its state."""
    return port, tmp_path


async def imports(config: DatabaseConfig, venue: str, path: Path) -> list[Figures]:
    order = Order([path], "binance-aggtrades", venue, SYMBOL)
    backoff = Backoff(0.05, 0.2, random.Random(1))
    return await import_files(AresConfig(database=config), order, SystemClock(), backoff, lambda _share, _rows: None)


def file_of(path: Path, trades: list[dict[str, object]]) -> Path:
    """Trades of a venue as its public file has them."""
    names = ("a", "p", "q", "f", "l", "T", "m", "M")
    path.write_text("".join(",".join(str(t[name]) for name in names) + "\n" for t in trades), encoding="utf-8")
    return path


def older(venue: Venue, count: int, days: int) -> list[dict[str, object]]:
    """The venue's first trades, as if they had been made so many days ago."""
    return [{**row, "T": int(str(row["T"])) - days * DAY_MS} for row in venue.trades["BTCUSDT"][:count]]


@asynccontextmanager
async def collecting(
    questdb: DatabaseConfig, database: Database, name: str, there: Venue, place: tuple[int, Path]
) -> AsyncIterator[Running]:
    """The service, until its past is fetched (the last six minutes of it)."""
    context = context_of(questdb, name, place[0], place[1], backfill_trades_hours=0.1)
    async with serving(there, place[0]), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(BACKFILLED, 2)
        yield run


async def holes(database: Database, venue: str) -> list[dict[str, object]]:
    await database.wait_applied(["gaps", "trades"])
    return [dict(row) for row in await database.fetch(HOLES, {"venue": venue})]


@pytest.fixture(params=[0, 40])
def days(request: pytest.FixtureRequest) -> int:
    """How much older than what the service fetches the imported trades are."""
    return int(request.param)


async def test_start_after_an_import_reports_no_false_hole_and_says_what_was_never_recorded(
    questdb_config: DatabaseConfig, database: Database, venue: str, place: tuple[int, Path], days: int
) -> None:
    there = Venue()
    tmp_path = place[1]
    [figures] = await imports(questdb_config, venue, file_of(tmp_path / "old.csv", older(there, 500, days)))
    assert figures.written == 500
    async with collecting(questdb_config, database, venue, there, place) as run:
        first = await run.number(OURS)
        assert first > 1_000, "the service fetched its own horizon, and not everything since the import"
        assert await holes(database, venue) == [
            {"cause": "import", "status": "lost", "first_seq": 501, "last_seq": first - 1}
        ]
        intake = run.service._desk.intakes[SYMBOL]
        assert intake.first == first
        assert not intake.gaps


async def test_second_start_finds_nothing_new_and_a_longer_past_closes_the_hole(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    await imports(questdb_config, venue, file_of(tmp_path / "old.csv", older(there, 500, 0)))
    async with collecting(questdb_config, database, venue, there, (port, tmp_path)):
        told = await holes(database, venue)
    async with collecting(questdb_config, database, venue, there, (port, tmp_path)) as run:
        await run.until(BACKFILLED, 2)
        assert [hole for hole in await holes(database, venue) if hole["cause"] != "restart"] == told
    context = context_of(questdb_config, venue, port, tmp_path, backfill_trades_hours=1.0)
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(IDS, 0)
        async with asyncio.timeout(20):
            while await holes(database, venue):
                await asyncio.sleep(0.1)
        assert await run.number(OURS) == 1, "REST brings imported trades again: the same rows"


async def test_import_beside_a_running_service_joins_what_it_recorded(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    async with collecting(questdb_config, database, venue, there, (port, tmp_path)) as run:
        first = await run.number(OURS)
        await imports(questdb_config, venue, file_of(tmp_path / "a.csv", there.trades["BTCUSDT"][:500]))
        assert [(h["first_seq"], h["last_seq"]) for h in await holes(database, venue)] == [(501, first - 1)]
        path = file_of(tmp_path / "b.csv", there.trades["BTCUSDT"][400 : first + 20])
        [figures] = await imports(questdb_config, venue, path)
        assert (figures.known, figures.contradicting) == (100 + 21, 0)
        assert await holes(database, venue) == []
        await run.until(IDS, 0)
        assert await run.number(OURS) == first, "what was recorded stays what it is"
    assert first < HISTORY_TRADES


async def test_what_the_service_fetches_of_a_time_before_the_retention_goes_to_the_archive(
    questdb_config: DatabaseConfig, database: Database, venue: str, place: tuple[int, Path]
) -> None:
    there = Venue()
    for row in there.trades["BTCUSDT"]:
        row["T"] = int(str(row["T"])) - 2 * DAY_MS
    keeping_a_day = questdb_config.model_copy(update={"retention_trades_days": 1})
    context = context_of(keeping_a_day, venue, *place, backfill_trades_hours=72.0)
    async with serving(there, place[0]), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(BACKFILLED, 2)
        await run.until(TRADES, 1)
        await run.until(TRADES.replace("FROM trades", "FROM trades_archive"), HISTORY_TRADES)
    async with serving(there, place[0]), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(TRADES, 2)
        assert [hole for hole in await holes(database, venue) if hole["cause"] != "restart"] == []


async def test_trades_that_went_to_the_archive_are_not_missed_at_the_next_start(
    database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    old_ns, young_ns = now_ns - 3 * DAY_MS * NANOS_PER_MILLI, now_ns - DAY_MS * NANOS_PER_MILLI
    times = {1: old_ns, 2: old_ns + 1, 3: old_ns + 2, 4: old_ns + 3, 5: young_ns, 6: young_ns + 1}
    trades = [Trade(venue, SYMBOL, str(n), n, "buy", 1.0, 1.0, ts, now_ns, "rest") for n, ts in times.items()]
    healed_late = archived(trades[2:4], kept_from_ns(now_ns, 2))
    assert [entry.table for entry in healed_late] == ["trades_archive"] * 2
    await writer.write([*trades[:2], *healed_late, *trades[4:]])
    await database.wait_applied(["trades", "trades_archive"])
    kept = (await Recovery(database, venue, SystemClock(), 2).known(SYMBOL)).trades
    assert kept is not None
    assert (kept.first_seq, kept.last_seq, list(kept.unrecorded)) == (1, 6, [])
    all_of_it = (await Recovery(database, venue, SystemClock()).known(SYMBOL)).trades
    assert all_of_it is not None
    assert [(gap.first_seq, gap.last_seq) for gap in all_of_it.unrecorded] == [(3, 4)], "without the rule it would be"
