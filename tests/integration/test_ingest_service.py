"""The whole service against a venue that misbehaves on request, over real sockets, into a real QuestDB."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import ccxt.pro
import orjson
import pytest
from aiohttp import WSMsgType, web
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.quality import QualityConfig, QualityLimit
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig, VenueConfig
from ares.errors import UnknownSymbol
from ares.model.market import Trade
from ares.service import ServiceContext
from ares.service.beside import beside
from ares.store import Database, RowWriter
from ingest.asking import ask_venue, fetch_past
from ingest.gaps import Gap, Where
from ingest.recovery import Recovery
from ingest.service import Ingest
from ingest.services import INGEST
from ingest.venues.binance.ccxt_feed import BinanceFeed
from tests.collected import Collected
from tests.helpers import eventually

MINUTE_MS = 60_000
PAIRS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT")}
HISTORY_TRADES = 2_500
TRADE_MS = 1_000


@dataclass
class Venue:
    """A venue in memory: one trade a second of the past, and whatever a test makes of the present."""

    trades: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    sockets: set[web.WebSocketResponse] = field(default_factory=set)
    streams: dict[web.WebSocketResponse, list[str]] = field(default_factory=dict)
    forgotten: set[int] = field(default_factory=set)
    up: bool = True
    refusals: int = 0
    greeting: str = ""
    listens: asyncio.Event = field(default_factory=asyncio.Event)
    quotes: int = 0
    top: tuple[str, str] = ("99.9", "100.1")
    update_ids: dict[str, int] = field(default_factory=lambda: dict.fromkeys(PAIRS, 1_000))

    def __post_init__(self) -> None:
        self.listens.set()
        now_ms = SystemClock().now_ns() // NANOS_PER_MILLI
        for name in PAIRS:
            start_ms = now_ms - HISTORY_TRADES * TRADE_MS
            self.trades[name] = [trade(name, i + 1, start_ms + i * TRADE_MS) for i in range(HISTORY_TRADES)]

    async def print_trade(self, name: str, *, told: bool = True) -> int:
        """A new trade; `told` = it is streamed, else only REST knows it."""
        seq = len(self.trades[name]) + 1
        row = trade(name, seq, SystemClock().now_ns() // NANOS_PER_MILLI)
        self.trades[name].append(row)
        if told:
            await self.say(f"{name.lower()}@aggTrade", {"e": "aggTrade", "E": row["T"], "s": name, **row})
        return seq

    async def move_quote(self, name: str) -> None:
        self.quotes += 1
        quote = {"u": self.quotes, "s": name, "b": "99.9", "B": "1.0", "a": "100.1", "A": "2.0"}
        await self.say(f"{name.lower()}@bookTicker", quote)

    async def move_book(self, name: str) -> None:
        now_ms = SystemClock().now_ns() // NANOS_PER_MILLI
        update_id = self.next_update(name)
        diff = {"e": "depthUpdate", "E": now_ms, "s": name, "U": update_id, "u": update_id}
        await self.say(f"{name.lower()}@depth@100ms", {**diff, "b": [["99.8", "3"]], "a": []})

    async def move_all(self) -> None:
        """Something of everything."""
        for name in PAIRS:
            await self.print_trade(name)
            await self.move_quote(name)
            await self.move_book(name)

    def next_update(self, name: str) -> int:
        self.update_ids[name] += 1
        return self.update_ids[name]

    async def say(self, stream: str, frame: object) -> None:
        text = frame if isinstance(frame, str) else orjson.dumps(frame).decode()
        for socket, names in list(self.streams.items()):
            if stream in names and not socket.closed:
                await socket.send_str(text)

    def lines_of(self, name: str, channel: str) -> list[web.WebSocketResponse]:
        """The open connections that carry quotes or books of a symbol."""
        stream = f"{name.lower()}@{'bookTicker' if channel == 'quotes' else 'depth@100ms'}"
        return [socket for socket, names in list(self.streams.items()) if stream in names and not socket.closed]

    async def hang_up(self) -> None:
        for socket in list(self.sockets):
            await socket.close(code=1001)

    async def subscribed(self, streams: int) -> None:
        async with asyncio.timeout(20):
            while len([n for s, names in self.streams.items() if not s.closed for n in names]) < streams:
                await asyncio.sleep(0.02)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._gate])
        app.router.add_get("/api/v3/exchangeInfo", self._info)
        app.router.add_get("/api/v3/time", self._time)
        app.router.add_get("/api/v3/depth", self._depth)
        app.router.add_get("/api/v3/aggTrades", self._agg_trades)
        app.router.add_get("/api/v3/klines", self._klines)
        for path in ("/ws", "/stream/ws/{number}"):
            app.router.add_get(path, self._ws)
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Callable[[web.Request], object]) -> web.StreamResponse:
        if not self.up:
            return web.json_response({"code": -1001, "msg": "Internal error"}, status=503)
        return await handler(request)  # type: ignore[misc,no-any-return]

    async def _info(self, _: web.Request) -> web.Response:
        return web.json_response({"symbols": [listing(name) for name in PAIRS]})

    async def _time(self, _: web.Request) -> web.Response:
        return web.json_response({"serverTime": SystemClock().now_ns() // NANOS_PER_MILLI})

    async def _depth(self, request: web.Request) -> web.Response:
        book = {
            "lastUpdateId": self.update_ids[request.query["symbol"]],
            "bids": [[self.top[0], "1"]],
            "asks": [[self.top[1], "1"]],
        }
        return web.json_response(book)

    async def _agg_trades(self, request: web.Request) -> web.Response:
        rows = [row for row in self.trades[request.query["symbol"]] if row["a"] not in self.forgotten]
        limit = int(request.query.get("limit", "500"))
        if "fromId" not in request.query:
            return web.json_response(rows[-limit:])
        first = int(request.query["fromId"])
        return web.json_response([row for row in rows if int(str(row["a"])) >= first][:limit])

    async def _klines(self, request: web.Request) -> web.Response:
        first, last = int(request.query["startTime"]), int(request.query["endTime"])
        starts = range(first - first % MINUTE_MS, last + 1, MINUTE_MS)
        return web.json_response([kline(t) for t in starts if t >= first][:1000])

    async def _ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.add(socket)
        if self.greeting:
            await socket.send_str(self.greeting)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                order = orjson.loads(message.data)
                if self.refusals > 0:
                    self.refusals -= 1
                    await socket.send_json({"error": {"code": 2, "msg": "Invalid request"}, "id": order["id"]})
                    continue
                await socket.send_json({"result": None, "id": order["id"]})
                self.streams.setdefault(socket, []).extend(order["params"])
            await self.listens.wait()
        self.sockets.discard(socket)
        self.streams.pop(socket, None)
        return socket


def trade(name: str, seq: int, ms: int) -> dict[str, object]:
    price = f"{100 + seq % 7}.{name == 'BTCUSDT':d}"
    return {"a": seq, "p": price, "q": "0.5", "f": seq, "l": seq, "T": ms, "m": seq % 2 == 0, "M": True}


def kline(ms: int) -> list[object]:
    return [ms, "100", "106", "99", "101", "30", ms + MINUTE_MS - 1, "3030", 60, "15", "1515", "0"]


def listing(name: str) -> dict[str, object]:
    base, quote = PAIRS[name]
    filters = [
        {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000", "tickSize": "0.01"},
        {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000", "stepSize": "0.00001"},
        {"filterType": "NOTIONAL", "minNotional": "5"},
    ]
    shape = {"symbol": name, "status": "TRADING", "baseAsset": base, "quoteAsset": quote, "filters": filters}
    return {**shape, "orderTypes": ["LIMIT"], "isSpotTradingAllowed": True}


Running = Collected[Venue]

TRADES = "SELECT count() FROM trades WHERE venue = %(venue)s AND symbol = 'BTC/USDT'"
IDS = "SELECT max(seq) - min(seq) + 1 - count_distinct(seq) FROM trades WHERE venue = %(venue)s AND symbol = 'BTC/USDT'"
GAPS = (
    "SELECT count() FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = %(channel)s "
    "LATEST ON ts PARTITION BY gap_id) WHERE status = %(status)s"
)
BACKFILLED = "SELECT count_distinct(symbol) FROM ingest_watermarks WHERE venue = %(venue)s AND channel = 'backfill'"


@asynccontextmanager
async def serving(venue: Venue, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(venue.app(), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await venue.hang_up()
        await runner.cleanup()


def context_of(config: DatabaseConfig, name: str, port: int, path: Path, **changes: object) -> ServiceContext:
    feed = changes.pop("feed", "native")
    settings = {"venue": name, "backfill_trades_hours": 1.0, "backfill_bars_hours": 1.0, "backoff_s_min": 0.05}
    settings |= {"backoff_s_max": 0.2, "book_s_min": 0.01, "silence_s_max": 20.0, "watermark_s": 0.1, **changes}
    address = {"rest_url": f"http://127.0.0.1:{port}", "ws_url": f"ws://127.0.0.1:{port}", "feed": feed}
    venue = VenueConfig.model_validate(address)
    ares = AresConfig(
        environment=EnvironmentConfig(state_dir=path),
        database=config,
        venues={name: venue},
        ingest=IngestConfig.model_validate(settings),
    )
    return ServiceContext(ares, SystemClock(), "ingest-test")


@asynccontextmanager
async def running(context: ServiceContext, venue: Venue, database: Database) -> AsyncIterator[Running]:
    service = INGEST.build(context)
    assert isinstance(service, Ingest)
    await service.start()
    task = asyncio.create_task(service.run())
    try:
        yield Running(service, venue, context.config.ingest.venue, database, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await service.stop()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.3)
    monkeypatch.setattr("ingest.healing.LOOK_AGAIN_S", 0.1)


@pytest.fixture
async def collected(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> AsyncIterator[Running]:
    """A service that streams, with its past fetched."""
    there = Venue()
    context = context_of(questdb_config, venue, port, tmp_path)
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(BACKFILLED, 2)
        yield run


async def test_first_start_stores_the_past_the_present_and_the_venues_own_candles(collected: Running) -> None:
    await collected.until(TRADES, HISTORY_TRADES + 1)
    await collected.until(IDS, 0)
    sources = "SELECT count() FROM trades WHERE venue = %(venue)s AND source = %(source)s"
    await collected.until(sources, 2, source="stream")
    await collected.until(sources, 2 * HISTORY_TRADES, source="rest")
    await collected.until("SELECT count() FROM quotes WHERE venue = %(venue)s", 2)
    assert await collected.number("SELECT count() FROM books WHERE venue = %(venue)s") >= 2
    assert await collected.number("SELECT count() FROM venue_bars_1m WHERE venue = %(venue)s") in (118, 120)
    assert await collected.number("SELECT count() FROM instruments WHERE venue = %(venue)s") == 2
    assert await collected.number("SELECT count() FROM gaps WHERE venue = %(venue)s") == 0
    assert collected.service.health().ready


async def test_trades_missed_while_disconnected_are_fetched_and_the_gap_closes_as_healed(collected: Running) -> None:
    for _ in range(5):
        await collected.venue.print_trade("BTCUSDT", told=False)
    await collected.venue.hang_up()
    await collected.venue.subscribed(6)
    await collected.until(GAPS, 2, channel="trades", status="healed")
    await collected.until(TRADES, HISTORY_TRADES + 6)
    await collected.until(IDS, 0)
    await collected.until(GAPS, 2, channel="quotes", status="open")
    await collected.until(GAPS, 0, channel="books", status="open")
    for name in PAIRS:
        await collected.venue.move_quote(name)
        await collected.venue.move_book(name)
    await collected.until(GAPS, 2, channel="quotes", status="lost")
    await collected.until(GAPS, 0, channel="books", status="open")


async def test_a_stream_that_falls_silent_about_trades_is_found_out_and_healed(
    collected: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspicious(monkeypatch)
    found_before = stalls_found()
    for _ in range(6):
        await asyncio.sleep(0.7)
        await collected.venue.print_trade("BTCUSDT")
    await collected.venue.print_trade("BTCUSDT", told=False)
    cause = (
        "SELECT count_distinct(gap_id) FROM gaps WHERE venue = %(venue)s AND cause = 'silence' AND status = 'healed'"
    )
    await collected.until(cause, 2, channel="trades")
    await collected.until(TRADES, HISTORY_TRADES + 8)
    await collected.until(IDS, 0)
    assert stalls_found() == found_before + 1


def suspicious(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pace is known soon, and a silence is unusual soon."""
    for name, value in (("KNOWN_FROM", 3), ("MEANS", 2.0), ("LONGEST", 2.0)):
        monkeypatch.setattr(f"ingest.pace.{name}", value)
    monkeypatch.setattr("ingest.stalls.LOOK_S", 0.05)
    monkeypatch.setattr("ingest.stalls.CATCH_UP_S", 0.2)
    monkeypatch.setattr("ingest.stalls.PATIENCE_S_MIN", 0.5)


@pytest.mark.parametrize("channel", ["quotes", "books"])
async def test_a_stream_that_falls_silent_about_quotes_or_books_is_found_out_and_a_quiet_one_is_not(
    collected: Running, monkeypatch: pytest.MonkeyPatch, channel: str
) -> None:
    suspicious(monkeypatch)
    venue = collected.venue
    move = venue.move_quote if channel == "quotes" else venue.move_book
    before = {each: stalls_found(each) for each in ("trades", "quotes", "books")}
    for _ in range(6):
        await asyncio.sleep(0.7)
        await move("BTCUSDT")
    await asyncio.sleep(5.0)
    assert {each: stalls_found(each) for each in before} == before, "everything is quiet, nothing is kept back"
    limit = REGISTRY.get_sample_value("ares_ingest_freshness_limit_seconds", {"channel": channel, "symbol": "BTC/USDT"})
    assert limit is not None
    assert 0.5 <= limit < 20.0
    if channel == "quotes":
        venue.top = ("99.8", "100.1")
    else:
        venue.next_update("BTCUSDT")
    lines = set(venue.lines_of("BTCUSDT", channel))
    await eventually(lambda: stalls_found(channel) == before[channel] + 1, 60.0)
    await eventually(lambda: lines.isdisjoint(venue.lines_of("BTCUSDT", channel)), 60.0)
    venue.top = ("99.9", "100.1")
    silent = (
        "SELECT count() FROM (SELECT * FROM gaps WHERE venue = %(venue)s AND channel = %(channel)s "
        "AND symbol = 'BTC/USDT' LATEST ON ts PARTITION BY gap_id) WHERE cause = 'silence' AND status = 'lost'"
    )
    async with beside(going_on(move), "going_on"):
        await collected.until(silent, 1, channel=channel)
    assert {each: stalls_found(each) for each in before} == before | {channel: before[channel] + 1}


async def going_on(move: Callable[[str], Awaitable[None]]) -> None:
    """A market of BTC/USDT that goes on."""
    while True:
        await move("BTCUSDT")
        await asyncio.sleep(0.1)


def stalls_found(channel: str = "trades") -> float:
    return REGISTRY.get_sample_value("ares_ingest_stalls_total", {"channel": channel, "symbol": "BTC/USDT"}) or 0.0


async def test_withheld_frames_show_as_an_id_jump_and_are_fetched(collected: Running) -> None:
    for _ in range(3):
        await collected.venue.print_trade("BTCUSDT", told=False)
    await collected.venue.print_trade("BTCUSDT")
    await collected.until(GAPS, 1, channel="trades", status="healed")
    await collected.until(TRADES, HISTORY_TRADES + 5)
    await collected.until("SELECT max(missing) FROM gaps WHERE venue = %(venue)s", 3)
    cause = "SELECT count() FROM gaps WHERE venue = %(venue)s AND cause = 'id_jump'"
    assert await collected.number(cause) == 2


async def test_settings_that_change_again_and_again_under_load_lose_no_trade(collected: Running) -> None:
    rng = random.Random(3)
    config = collected.service._config
    edits = int(os.environ.get("ARES_TEST_RELOADS", "30"))
    for _ in range(edits):
        changes = {
            "batch_rows_max": rng.randint(1, 1_000),
            "batch_s_max": rng.uniform(0.001, 0.05),
            "book_s_min": rng.uniform(0.001, 0.1),
            "watermark_s": rng.uniform(0.05, 0.5),
            "price_jump_max": rng.uniform(2.0, 10.0),
        }
        ingest = config.ingest.model_copy(update=changes)
        collected.service.reconfigure(config.model_copy(update={"ingest": ingest}))
        await collected.venue.print_trade("BTCUSDT")
        await collected.venue.move_book("BTCUSDT")
    await collected.until(TRADES, HISTORY_TRADES + 1 + edits)
    await collected.until(IDS, 0)
    assert await collected.number("SELECT count() FROM gaps WHERE venue = %(venue)s") == 0


async def test_what_is_stored_is_graded_again_and_again_and_a_wrong_limit_stops_nothing(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    context = context_of(questdb_config, venue, port, tmp_path)
    config = context.config.model_copy(update={"quality": QualityConfig(every_s=0.2)})
    runs = "SELECT count_distinct(ts) FROM quality_checks WHERE venue = %(venue)s"
    served = running(replace(context, config=config), there, database)
    async with asyncio.timeout(30), serving(there, port), served as run:
        await there.subscribed(6)
        await there.move_all()
        while await run.number(runs) < 2:
            await asyncio.sleep(0.05)
        wrong = QualityConfig(every_s=0.1, limits={"latncy": QualityLimit(warn=1)})
        with capture_logs() as logs:
            run.service.reconfigure(config.model_copy(update={"quality": wrong}))
            while not any(each["event"] == "quality_not_checked" for each in logs):
                await asyncio.sleep(0.05)
        known = await run.number(runs)
        run.service.reconfigure(config)
        while await run.number(runs) <= known:
            await asyncio.sleep(0.05)
        assert not run.task.done()


async def test_what_the_venue_no_longer_has_is_recorded_as_lost(collected: Running) -> None:
    collected.venue.forgotten.add(await collected.venue.print_trade("BTCUSDT", told=False))
    await collected.venue.print_trade("BTCUSDT")
    await collected.until(GAPS, 1, channel="trades", status="lost")
    assert await collected.number(IDS) == 1


async def test_garbage_is_quarantined_and_the_stream_goes_on(collected: Running) -> None:
    stream = "btcusdt@aggTrade"
    for garbage in (
        {"e": "aggTrade", "s": "BTCUSDT"},
        {"e": "trade", "s": "LOLUSDT", "p": []},
        "[1, 2]",
        '"text"',
        "7",
    ):
        await collected.venue.say(stream, garbage)
    await collected.venue.say("btcusdt@bookTicker", {"u": 5, "s": "BTCUSDT", "b": "2", "B": "1", "a": "1", "A": "1"})
    await collected.venue.say("btcusdt@depth@100ms", {"e": "depthUpdate", "s": "BTCUSDT", "U": "x", "u": [], "b": 7})
    await collected.venue.print_trade("BTCUSDT")
    await collected.until(TRADES, HISTORY_TRADES + 2)
    await collected.until(IDS, 0)
    refused = "SELECT count() FROM quarantine WHERE venue = %(venue)s AND channel = %(channel)s"
    await collected.until(refused, 5, channel="trades")
    await collected.until(refused, 1, channel="quotes")
    crossed = "SELECT count() FROM quarantine WHERE venue = %(venue)s AND field = 'bid' AND symbol = 'BTC/USDT'"
    assert await collected.number(crossed) == 1


async def test_book_whose_chain_breaks_is_taken_anew_on_the_same_line_and_its_outage_is_recorded(
    collected: Running,
) -> None:
    books = "SELECT count() FROM books WHERE venue = %(venue)s AND symbol = 'BTC/USDT'"
    await collected.until(books, 1)
    lines = len(collected.venue.sockets)
    collected.venue.next_update("BTCUSDT")
    await collected.venue.move_book("BTCUSDT")
    lost = {"channel": "books", "status": "lost"}
    await collected.until(GAPS, 1, **lost)
    cause = "SELECT count() FROM gaps WHERE venue = %(venue)s AND channel = 'books' AND cause = 'id_jump'"
    assert await collected.number(cause) == 2, "opened and closed"
    await collected.venue.move_book("BTCUSDT")
    crossed = "SELECT count() FROM books WHERE venue = %(venue)s AND bids[1][1] >= asks[1][1]"
    await collected.until(books, 3)
    assert await collected.number(crossed) == 0
    assert len(collected.venue.sockets) == lines


async def test_ccxts_feed_collects_the_same_where_it_is_asked_for(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    context = context_of(questdb_config, venue, port, tmp_path, feed="ccxt")
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        await there.move_all()
        await run.until(TRADES, HISTORY_TRADES + 1)
        for table in ("quotes", "books"):
            await run.until(f"SELECT count_distinct(symbol) FROM {table} WHERE venue = %(venue)s", 2)
        await there.hang_up()
        await there.subscribed(6)
        await there.print_trade("BTCUSDT")
        await run.until(TRADES, HISTORY_TRADES + 2)
        assert await run.number(IDS) == 0


async def test_subscription_that_the_venue_refuses_is_an_outage_and_is_tried_again(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue(refusals=2)
    context = context_of(questdb_config, venue, port, tmp_path)
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        assert there.refusals == 0
        await there.print_trade("BTCUSDT")
        await run.until(TRADES, HISTORY_TRADES + 1)


async def test_answer_that_comes_after_something_else_is_no_malformed_frame(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue(greeting='{"hello":"there"}')
    context = context_of(questdb_config, venue, port, tmp_path)
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        await there.print_trade("BTCUSDT")
        await run.until(TRADES, HISTORY_TRADES + 1)
        await run.until("SELECT count() FROM quarantine WHERE venue = %(venue)s", 3)
        assert await run.number("SELECT count() FROM quarantine WHERE venue = %(venue)s AND raw LIKE '%%hello%%'") == 3


async def test_watermark_follows_the_venues_time_while_the_market_is_quiet(collected: Running) -> None:
    watermark = "SELECT max(watermark)::long / 1000000 FROM ingest_watermarks WHERE venue = %(venue)s"
    before = await collected.number(watermark)
    await asyncio.sleep(1.5)
    await collected.venue.move_book("BTCUSDT")
    await asyncio.sleep(0.5)
    after = await collected.number(watermark)
    assert 1_000 < after - before < 4_000
    assert after <= SystemClock().now_ns() // NANOS_PER_MILLI - 450, (
        "up to what was heard half a second ago, no further"
    )


async def test_restart_finds_what_was_missed_and_what_nobody_recorded(
    collected: Running, questdb_config: DatabaseConfig, port: int, tmp_path: Path
) -> None:
    there = collected.venue
    for name in PAIRS:
        for _ in range(4):
            await there.print_trade(name, told=False)
    collected.task.cancel()
    await asyncio.gather(collected.task, return_exceptions=True)
    await collected.service.stop()
    second = context_of(questdb_config, collected.name, port, tmp_path)
    async with running(second, there, collected.database) as again:
        await again.until(IDS, 0)
        await again.until(TRADES, HISTORY_TRADES + 5)
        await again.until(GAPS, 2, channel="trades", status="healed")
        restarts = "SELECT count() FROM gaps WHERE venue = %(venue)s AND cause = 'restart' AND channel = 'quotes'"
        assert await again.number(restarts) == 2
    collected.task = asyncio.create_task(asyncio.sleep(0))


async def test_unknown_symbol_is_refused_at_start_with_near_names(
    questdb_config: DatabaseConfig, venue: str, port: int, tmp_path: Path
) -> None:
    context = context_of(questdb_config, venue, port, tmp_path, symbols=["BTC/USD"])
    async with serving(Venue(), port):
        service = INGEST.build(context)
        with pytest.raises(UnknownSymbol, match="BTC/USDT"):
            await service.start()
        await service.stop()


async def test_unreachable_venue_is_not_ready_and_is_collected_once_it_answers(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue(up=False)
    context = context_of(questdb_config, venue, port, tmp_path)
    async with serving(there, port), running(context, there, database) as run:
        assert not run.service.health().ready
        assert "cannot be reached" in run.service.health().detail
        there.up = True
        await run.until(BACKFILLED, 2)
        assert run.service.health().ready


async def test_silent_stream_is_opened_again(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    context = context_of(questdb_config, venue, port, tmp_path, silence_s_max=0.3)
    async with serving(there, port), running(context, there, database) as run:
        await there.subscribed(6)
        await there.print_trade("BTCUSDT")
        silences = "SELECT count() FROM gaps WHERE venue = %(venue)s AND cause = 'silence'"
        for _ in range(100):
            if await run.number(silences) >= 2:
                break
            await asyncio.sleep(0.1)
        else:
            raise AssertionError("a silent stream left no gap")


async def test_stream_that_is_cancelled_while_it_closes_is_closed_whole(
    questdb_config: DatabaseConfig, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    config = context_of(questdb_config, venue, port, tmp_path, silence_s_max=0.3).config
    feed = BinanceFeed(venue, config.venues[venue], config.ingest, SystemClock())

    async def read() -> None:
        async with aclosing(feed.frames("trades")) as batches:
            async for _ in batches:
                pass

    there.listens.clear()  # the venue does not answer when we hang up
    async with serving(there, port):
        await feed.open()
        reading = asyncio.create_task(read())
        await there.subscribed(2)
        client = feed._streams["trades"].client
        assert isinstance(client, ccxt.pro.binance)
        async with asyncio.timeout(20):
            while not client.closed_by_user:
                await asyncio.sleep(0.01)
        for _ in range(2):
            reading.cancel()
            await asyncio.sleep(0)
        there.listens.set()
        await asyncio.gather(reading, return_exceptions=True)
        assert client.session is None


async def test_venue_is_asked_and_more_of_the_past_is_fetched_without_the_service(
    questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path
) -> None:
    there = Venue()
    config = context_of(questdb_config, venue, port, tmp_path).config
    async with serving(there, port):
        rows = await ask_venue(config)
        assert [(row["symbol"], row["active"]) for row in rows] == [("BTC/USDT", True), ("ETH/USDT", True)]
        reports: list[int] = []
        trades, bars = await fetch_past(config, "BTC/USDT", 1.0, lambda _s, count, _share: reports.append(count))
        assert (trades, reports[-1]) == (HISTORY_TRADES, HISTORY_TRADES)
        assert bars in (59, 60)
        again, _ = await fetch_past(config, "BTC/USDT", 0.1, lambda _s, _n, _share: None)
        assert again == 0
    await database.wait_applied(["trades"])
    stored = await database.fetch(TRADES, {"venue": venue})
    assert [list(row.values()) for row in stored] == [[HISTORY_TRADES]]


async def test_holes_that_nobody_recorded_are_found_in_what_is_stored(
    database: Database, writer: RowWriter, venue: str
) -> None:
    clock = SystemClock()
    now_ns = clock.now_ns()
    kept = [Trade(venue, "BTC/USDT", str(n), n, "buy", 1.0, 1.0, now_ns + n, now_ns, "stream") for n in (1, 2, 5, 9)]
    where = Where(venue, "BTC/USDT", "trades")
    recorded = Gap.opened(where, "id_jump", now_ns, now_ns + 2, 3).bounded(3, now_ns + 5)
    await writer.write([*kept, recorded.to_row(now_ns)])
    recovery = Recovery(database, venue, clock)
    await recovery.settle()
    known = (await recovery.known("BTC/USDT")).trades
    assert known is not None
    assert (known.first_seq, known.last_seq) == (1, 9)
    assert [(gap.first_seq, gap.last_seq) for gap in known.gaps] == [(3, 3)]
    assert [(gap.first_seq, gap.last_seq) for gap in known.unrecorded] == [(4, 4), (6, 8)]
    assert list(known.missing) == [(3, 4), (6, 8)]
    assert (await recovery.known("ETH/USDT")).trades is None
