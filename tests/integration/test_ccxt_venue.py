"""A venue through ccxt.pro, class `kraken` as it is: real sockets, its own parsers, its traps, into a real QuestDB."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, VenueConfig
from ares.errors import VenueError, VenueRejected, VenueUnavailable
from ares.model.market import Book, Quote, Trade
from ares.service import ServiceContext
from ares.store import Database
from ingest.feed import Channel, Frame
from ingest.service import Ingest
from ingest.services import INGEST
from ingest.venues.ccxt.client import create_exchange
from ingest.venues.ccxt.feed import CcxtFeed
from ingest.venues.ccxt.stream import Stream
from ingest.venues.registry import create_history
from tests.kraken import Kraken, serving

SYMBOLS = ("BTC/USD", "ETH/USD")
BURST = 3_000
TRADES = "SELECT count() FROM trades WHERE venue = %(venue)s"
GAPS = (
    "SELECT count() FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = 'trades' "
    "LATEST ON ts PARTITION BY gap_id) WHERE status = %(status)s"
)


def config_of(port: int) -> VenueConfig:
    base = f"http://127.0.0.1:{port}"
    return VenueConfig(
        protocol="ccxt", ccxt_id="kraken", rest_url=base, ws_url=base.replace("http", "ws"), connects_per_minute_max=999
    )


@asynccontextmanager
async def feed_of(venue: Kraken, port: int) -> AsyncIterator[CcxtFeed]:
    ingest = IngestConfig(venue="k", symbols=SYMBOLS, book_s_min=0.05, silence_s_max=5.0)
    async with serving(venue, port), asyncio.timeout(30):
        feed = CcxtFeed("k", config_of(port), ingest, SystemClock())
        await feed.open()
        yield feed


def said(feed: CcxtFeed, frames: Sequence[Frame]) -> list[object]:
    return [event for frame in frames for event in feed.decode(frame)]


async def test_a_burst_while_nobody_takes_anything_is_there_whole_though_ccxts_own_cache_lost_most_of_it(
    port: int,
) -> None:
    """ccxt keeps the newest thousand; what fell out between two calls of `watch_trades` is lost, silently."""
    venue = Kraken()
    async with feed_of(venue, port) as feed, aclosing(feed.frames("trades")) as batches:
        first = asyncio.ensure_future(anext(batches))
        await venue.subscribed("trade")
        await venue.trade("BTC/USD")
        events = said(feed, await first)
        plain = create_exchange("k", config_of(port))
        kept = asyncio.ensure_future(plain.watch_trades("BTC/USD"))
        await venue.subscribed("trade", 3)
        await venue.trade("BTC/USD")
        await kept
        await venue.burst("BTC/USD", BURST)  # nobody calls `anext` or `watch_trades` meanwhile
        await asyncio.sleep(0.5)
        asked = asyncio.ensure_future(plain.watch_trades("BTC/USD"))
        await asyncio.sleep(0.05)
        await venue.trade("BTC/USD")
        lossy = await asked
        assert isinstance(lossy, list)
        assert len(lossy) == 1_000 < BURST, "else ccxt is no longer what this is for"
        while len(events) < BURST + 3:
            events += said(feed, await anext(batches))
        await plain.close()
    trades = [event for event in events if isinstance(event, Trade)]
    assert [trade.seq for trade in trades] == [trade.seq for trade in venue.market.trades["BTC/USD"]]


async def test_a_line_that_is_lost_while_nobody_waits_for_it_is_known_to_be_lost(port: int) -> None:
    """ccxt says nothing then, and opens another at the next call."""
    venue = Kraken()
    async with serving(venue, port):
        exchange, stream = create_exchange("k", config_of(port)), Stream("trades", SystemClock())
        stream.tap(exchange)
        watched = asyncio.ensure_future(exchange.watch_trades("BTC/USD"))
        await venue.subscribed("trade", 1)
        await venue.trade("BTC/USD")
        await watched
        assert stream.end is None
        await venue.hang_up()
        async with asyncio.timeout(10):
            while stream.end is None:
                await asyncio.sleep(0.02)
        assert isinstance(stream.end, VenueUnavailable)
        await exchange.close()


async def listen(feed: CcxtFeed, events: list[object]) -> None:
    """Keep what the trades' line says until it ends."""
    async with aclosing(feed.frames("trades")) as batches:
        async for frames in batches:
            events += said(feed, frames)


async def test_a_lost_line_ends_the_channel_after_what_it_brought(port: int) -> None:
    venue = Kraken()
    events: list[object] = []
    async with feed_of(venue, port) as feed:
        listening = asyncio.ensure_future(listen(feed, events))
        await venue.subscribed("trade")
        await venue.trade("ETH/USD")
        while not events:
            await asyncio.sleep(0.02)
        assert feed.is_live("trades")
        await venue.trade("ETH/USD")
        await venue.hang_up()
        with pytest.raises(VenueUnavailable):
            await listening
        assert not feed.is_live("trades")
    assert len(events) == 2


async def test_a_refused_subscription_is_an_error_though_ccxt_would_wait_for_ever(port: int) -> None:
    async with feed_of(Kraken(refuses=True), port) as feed:
        with pytest.raises(VenueError, match="Currency pair not supported"):
            await listen(feed, [])


async def test_quotes_and_books_are_the_venues(port: int) -> None:
    venue = Kraken()
    async with feed_of(venue, port) as feed:
        assert list(feed.channels) == ["trades", "quotes", "books"]
        quotes = await heard(feed, venue, "quotes")
        books = await heard(feed, venue, "books")
    told = venue.market.quotes["BTC/USD"]
    assert [(q.bid, q.bid_amount, q.ask, q.ask_amount) for q in quotes if isinstance(q, Quote)] == [
        (q.bid, q.bid_amount, q.ask, q.ask_amount) for q in told
    ]
    newest = books[-1]
    assert isinstance(newest, Book)
    bids, asks = venue.market.states["BTC/USD", venue.market.update_ids["BTC/USD"]]
    assert (dict(newest.bids), dict(newest.asks)) == (bids, asks)
    assert all(book.bids[0][0] < book.asks[0][0] for book in books if isinstance(book, Book))


async def heard(feed: CcxtFeed, venue: Kraken, channel: Channel) -> list[object]:
    """What a line says of ten moves of a market."""
    events: list[object] = []
    name = {"quotes": "ticker", "books": "book"}[channel]
    async with aclosing(feed.frames(channel)) as batches:
        following = asyncio.ensure_future(anext(batches))
        await venue.subscribed(name)
        for _ in range(10):
            await (venue.quote if channel == "quotes" else venue.book)("BTC/USD")
            await asyncio.sleep(0.1)
        events += said(feed, await following)
        while len(events) < 10:
            events += said(feed, await anext(batches))
    return [event for event in events if getattr(event, "symbol", "") == "BTC/USD"]


async def test_a_trade_is_one_row_by_stream_and_by_rest(port: int) -> None:
    venue = Kraken()
    async with feed_of(venue, port) as feed, aclosing(feed.frames("trades")) as batches:
        first = asyncio.ensure_future(anext(batches))
        await venue.subscribed("trade")
        await venue.burst("BTC/USD", 100, 10)
        events = said(feed, await first)
        while len(events) < 100:
            events += said(feed, await anext(batches))
        history = create_history("k", config_of(port), {"BTC/USD": "BTC/USD"}, SystemClock())
        page = await history.newest_trades("BTC/USD")
        bars = await history.bars("BTC/USD", 1_700_000_040 * 10**9, 1_700_000_640 * 10**9)
        with pytest.raises(VenueRejected, match="only its newest"):
            await history.first_since("BTC/USD", venue.market.now_ns - 10**9)
        await history.close()
    streamed = [event for event in events if isinstance(event, Trade)]
    facts = [(t.trade_id, t.seq, t.side, t.price, t.amount, t.ts_ns, t.symbol) for t in streamed]
    assert [(t.trade_id, t.seq, t.side, t.price, t.amount, t.ts_ns, t.symbol) for t in page.trades] == facts
    assert {trade.source for trade in page.trades} == {"rest"}
    assert len(bars) == 10


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    for name, value in (("FIRST_TRADE_S_MAX", 0.5), ("LOOK_AGAIN_S", 0.1), ("SETTLED_S", 0.5), ("AUDIT_S_MIN", 0.3)):
        monkeypatch.setattr(f"ingest.newest.{name}", value)


@pytest.fixture
def context(questdb_config: DatabaseConfig, venue: str, port: int, tmp_path: Path) -> ServiceContext:
    settings = {"venue": venue, "symbols": SYMBOLS[:1], "backfill_trades_hours": 1.0, "backfill_bars_hours": 0.0}
    settings |= {"backoff_s_min": 0.05, "backoff_s_max": 0.2, "book_s_min": 0.05, "watermark_s": 0.1}
    ares = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        database=questdb_config,
        venues={venue: config_of(port)},
        ingest=IngestConfig.model_validate(settings),
    )
    return ServiceContext(ares, SystemClock(), "ingest-test")


@asynccontextmanager
async def collected(context: ServiceContext, there: Kraken, port: int, database: Database) -> AsyncIterator[Ingest]:
    """The whole service; it has streamed a trade."""
    async with serving(there, port), asyncio.timeout(60):
        service = INGEST.build(context)
        assert isinstance(service, Ingest)
        await service.start()
        task = asyncio.create_task(service.run())
        try:
            await there.subscribed("trade", 1)
            await there.trade("BTC/USD")
            await until(database, TRADES, 1, context.config.ingest.venue)
            yield service
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await service.stop()


async def until(database: Database, sql: str, least: int, name: str, **params: str) -> None:
    """Wait until a query's number is so large."""
    for _ in range(200):
        record = await database.fetch_one(sql, {"venue": name, **params})
        assert record is not None
        if int(str(next(iter(record.values())))) >= least:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{sql} {params}: {record}, not {least}")


async def ids(database: Database, name: str) -> list[str]:
    rows = await database.fetch("SELECT trade_id FROM trades WHERE venue = %(venue)s ORDER BY ts, seq", {"venue": name})
    return [str(row["trade_id"]) for row in rows]


@pytest.mark.parametrize("outcome", [(500, "healed", 0), (1_500, "lost", 5)])
async def test_what_a_break_cost_is_fetched_or_said_to_be_lost_where_no_page_reaches_it(
    context: ServiceContext, database: Database, port: int, outcome: tuple[int, str, int]
) -> None:
    """So many trades come after it, so it ends, and so many are missing."""
    (burst, status, missed), venue = outcome, context.config.ingest.venue
    there = Kraken()
    async with collected(context, there, port, database):
        there.accepts, there.lists = False, missed == 0
        await there.hang_up()
        unseen = [await there.trade("BTC/USD", told=False) for _ in range(5)]
        there.accepts = True
        await there.subscribed("trade", 1)
        await there.burst("BTC/USD", burst)
        there.lists = True
        await until(database, GAPS, 1, venue, status=status)
        await until(database, TRADES, 1 + 5 - missed + burst, venue)
        stored = await ids(database, venue)
    lost = {trade.trade_id for trade in unseen} if missed else set()
    assert stored == [trade.trade_id for trade in there.market.trades["BTC/USD"] if trade.trade_id not in lost]


async def test_a_page_by_other_ids_than_the_streams_is_not_believed_and_nothing_is_there_twice(
    context: ServiceContext, database: Database, venue: str, port: int
) -> None:
    there = Kraken(renumbers=True)
    async with collected(context, there, port, database):
        for _ in range(20):
            await there.trade("BTC/USD")
        there.accepts = False
        await there.hang_up()
        await there.trade("BTC/USD", told=False)
        there.accepts = True
        await there.subscribed("trade", 1)
        for _ in range(5):
            await there.trade("BTC/USD")
        await until(database, GAPS, 1, venue, status="open")
        await asyncio.sleep(2.0)
        stored = await ids(database, venue)
    known = {trade.trade_id for trade in there.market.trades["BTC/USD"]}
    assert set(stored) < known
    assert len(stored) == len(set(stored)) == 26
