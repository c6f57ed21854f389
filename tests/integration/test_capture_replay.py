"""A captured session of the simulated exchange, replayed: the rows are those of the live run, however often."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, VenueConfig
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.store import Database
from ares.store.pool import Record
from ingest.replay.keeping import Figures
from ingest.replay.moments import EVER, Span, segments_of
from ingest.replay.reading import files_of
from ingest.replay.replaying import Order, Outcome, Replay
from ingest.services import INGEST
from simulator.exchange import Exchange, ExchangeOptions
from simulator.market import BUNDLED, PACKAGE, Source
from simulator.recording import load_recording

SYMBOLS = ("BTC/USDT", "ETH/USDT")
TRADES = """
SELECT ts::long AS ts, symbol, side, trade_id, seq, price, amount, received_at::long AS received_at
FROM trades WHERE venue = %(venue)s ORDER BY symbol, seq
"""
QUOTES = """
SELECT ts::long AS ts, symbol, ts_source, update_id, bid, bid_amount, ask, ask_amount, received_at::long AS received_at
FROM quotes WHERE venue = %(venue)s ORDER BY symbol, ts, update_id
"""
BOOKS = """
SELECT ts::long AS ts, symbol, ts_source, update_id, bids, asks, received_at::long AS received_at
FROM books WHERE venue = %(venue)s ORDER BY symbol, ts, update_id
"""
GAPS = "SELECT * FROM gaps WHERE venue = %(venue)s ORDER BY ts, gap_id, revision"
UNHEALED = """
SELECT channel, status, healed_by FROM (SELECT * FROM gaps WHERE venue = %(venue)s LATEST ON ts PARTITION BY gap_id)
WHERE status <> 'healed' AND channel = %(channel)s
"""
TABLES = ("trades", "trades_archive", "quotes", "books", "gaps", "quarantine")


@pytest.fixture(scope="module")
def recordings() -> tuple[Source, ...]:
    return tuple(load_recording(PACKAGE / "recordings" / name) for name in BUNDLED)


@dataclass
class Session:
    """A live run that is over, and where its capture lies."""

    venue: str
    config: AresConfig
    database: Database

    @property
    def folder(self) -> Path:
        return self.config.environment.state_dir / "capture" / self.venue

    async def rows(self, sql: str, venue: str, **more: str) -> list[Record]:
        await self.database.wait_applied(TABLES)
        return await self.database.fetch(sql, {"venue": venue, **more})

    async def counts(self, venue: str) -> list[int]:
        return [len(await self.rows(sql, venue)) for sql in (TRADES, QUOTES, BOOKS, GAPS)]

    async def replay(self, venue: str | None, span: Span = EVER) -> tuple[Outcome, Mapping[str, Figures]]:
        files = files_of([self.folder]) if span is EVER else segments_of(self.folder, span)
        order = Order(files, span, venue=venue)
        task = Replay(self.config, order, SystemClock(), lambda _share, _frames: None)
        outcome = await task.run(Backoff(0.05, 0.1, random.Random(1)))
        return outcome, {each.table: each for each in outcome.tables}


@pytest.fixture
async def session(
    questdb_config: DatabaseConfig, database: Database, venue: str, tmp_path: Path, recordings: tuple[Source, ...]
) -> Session:
    """Five seconds of two markets; the venue skips messages and hangs up."""
    clock = SystemClock()
    exchange = Exchange(ExchangeOptions(state_dir=tmp_path / "exchange", port=0, recordings=recordings), clock)
    await exchange.start()
    trading = asyncio.create_task(exchange.run())
    address = exchange.address
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        database=questdb_config,
        venues={venue: VenueConfig(rest_url=address, ws_url=address.replace("http", "ws"))},
        ingest=IngestConfig(
            venue=venue,
            symbols=SYMBOLS,
            backfill_trades_hours=0.01,
            backfill_bars_hours=0.01,
            backoff_s_min=0.05,
            backoff_s_max=0.2,
            capture=True,
            capture_flush_s=0.1,
            capture_disk_free_mb_min=0,
        ),
    )
    service = INGEST.build(ServiceContext(config, clock, "ingest-test"))
    await service.start()
    collecting = asyncio.create_task(service.run())
    try:
        for kind in ("gap", "disconnect", "gap", "disconnect"):
            await asyncio.sleep(1.2)
            async with aiohttp.ClientSession() as asking:
                await asking.post(f"{address}/sim/misbehave", json={"kind": kind, "count": 3})
        await asyncio.sleep(2.0)
    finally:
        for task in (trading, collecting):  # the market rests first, so that nothing is under way at the end
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.5)
        await service.stop()
        await exchange.stop()
    return Session(venue, config, database)


async def test_replay_of_a_session_gives_the_rows_of_the_live_run_however_often(session: Session) -> None:
    live = [await session.rows(sql, session.venue) for sql in (TRADES, QUOTES, BOOKS)]
    other = f"{session.venue}_again"
    outcome, tables = await session.replay(other)
    assert [len(rows) > 10 for rows in live] == [True, True, True]
    for sql, rows in zip((TRADES, QUOTES, BOOKS), live, strict=True):
        assert await session.rows(sql, other) == rows
    assert outcome.lost == 0
    assert outcome.damaged == []
    first = await session.counts(other)
    for _ in range(2):
        _, tables = await session.replay(other)
        assert [tables[name].written for name in ("trades", "quotes", "books", "gaps")] == [0, 0, 0, 0]
        assert await session.counts(other) == first
    assert await session.rows(UNHEALED, other, channel="trades") == []
    assert {row["status"] for row in await session.rows(UNHEALED, other, channel="quotes")} == {"lost"}


async def test_replay_onto_what_was_recorded_changes_no_row(session: Session) -> None:
    sql = "SELECT * FROM trades WHERE venue = %(venue)s ORDER BY symbol, seq"
    before = [await session.rows(text, session.venue) for text in (sql, QUOTES, BOOKS, GAPS)]
    marks = await session.rows("SELECT * FROM ingest_watermarks WHERE venue = %(venue)s", session.venue)
    for _ in range(3):
        _, tables = await session.replay(None)
        assert tables["trades"].known == tables["trades"].rows
        assert [tables[name].written for name in ("trades", "quotes", "books", "gaps")] == [0, 0, 0, 0]
    assert [await session.rows(text, session.venue) for text in (sql, QUOTES, BOOKS, GAPS)] == before
    assert await session.rows("SELECT * FROM ingest_watermarks WHERE venue = %(venue)s", session.venue) == marks


async def test_replay_of_a_part_writes_that_part_with_whole_books(session: Session) -> None:
    books = await session.rows(BOOKS, session.venue)
    receipts = sorted(int(str(book["received_at"])) for book in books)
    middle = Span(receipts[len(receipts) // 2] + 1, receipts[-1] + 2)
    other = f"{session.venue}_part"
    files = segments_of(session.folder, middle)
    task = Replay(session.config, Order(files, middle, venue=other), SystemClock(), lambda _share, _frames: None)
    await task.run(Backoff(0.05, 0.1, random.Random(1)))
    late = [book for book in books if middle.from_ns <= int(str(book["received_at"])) < middle.to_ns]
    replayed = await session.rows(BOOKS, other)
    assert [book for book in replayed if book not in books] == [], "one that was received before may be due in it"
    assert len(late) - len(replayed) <= len(SYMBOLS), "one that was due by the clock alone, after the end, may lack"
    for sql in (TRADES, QUOTES):
        live = await session.rows(sql, session.venue)
        assert {str(row) for row in await session.rows(sql, other)} <= {str(row) for row in live}


REAL = {
    "hftbacktest, Bitcoin of 2024": (("binance/spot_btcusdt_20240808.gz",), {"BTCUSDT": "BTC/USDT"}, (9_757, 28_040)),
    "hftbacktest, Ether of 2024": (("binance/spot_ethusdt_20240808.gz",), {"ETHUSDT": "ETH/USDT"}, (6_106, 24_077)),
    "hftbacktest, µs, no snapshot": (("binance/spot_btcusdt_20230405.gz",), {"BTCUSDT": "BTC/USDT"}, (3_144, 8_015)),
    "cryptofeed, one file": (
        ("cryptofeed/BINANCE-b38f7c.0.gz",),
        {"DENTUSDT": "DENT/USDT", "ZILUSDT": "ZIL/USDT", "MANAUSDT": "MANA/USDT"},
        (1_145, 3_902),
    ),
    "cryptofeed, several files": (
        ("cryptofeed/BINANCE.ws.1.0.gz", "cryptofeed/BINANCE.http.0.0.gz"),
        {"VETETH": "VET/ETH", "AAVEUPUSDT": "AAVEUP/USDT"},
        (9, 354),
    ),
}


@pytest.fixture
async def keeping_all(database: Database) -> AsyncIterator[Database]:
    """A database in which quotes and books of years ago stay."""
    for table in ("quotes", "books"):
        await database.execute(f"ALTER TABLE {table} SET TTL 0 DAYS")
    yield database
    await database.execute("ALTER TABLE quotes SET TTL 7 DAYS")
    await database.execute("ALTER TABLE books SET TTL 3 DAYS")


@pytest.mark.parametrize("name", REAL)
async def test_real_recording_replayed_thrice_is_there_once(
    name: str, questdb_config: DatabaseConfig, keeping_all: Database, venue: str, shared_data: Path
) -> None:
    paths, symbols, there = REAL[name]
    config, database = AresConfig(database=questdb_config), keeping_all
    counts = []
    for _ in range(3):
        order = Order([shared_data / "raw_ws" / path for path in paths], EVER, venue=venue, symbols=symbols)
        task = Replay(config, order, SystemClock(), lambda _share, _frames: None)
        outcome = await task.run(Backoff(0.05, 0.1, random.Random(1)))
        await database.wait_applied(TABLES)
        found = [await database.fetch(sql, {"venue": venue}) for sql in (TRADES, QUOTES, BOOKS, GAPS)]
        counts.append([len(rows) for rows in found])
        tables = {each.table: each for each in outcome.tables}
    assert counts[0] == counts[1] == counts[2]
    nothing = Figures("")
    assert [tables.get(table, nothing).known for table in ("trades", "quotes", "books")] == counts[0][:3]
    assert [tables[table].rows for table in ("trades", "quotes")] == counts[0][:2]
    assert tuple(counts[0][:2]) == there
    crossed = "SELECT count() AS n FROM books WHERE venue = %(venue)s AND bids[1][1] >= asks[1][1]"
    assert await database.fetch(crossed, {"venue": venue}) == [{"n": 0}]
