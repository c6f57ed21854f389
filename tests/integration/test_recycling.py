"""A connection is replaced while the market runs: no trade lost, no gap, no quote twice, whatever the venue does."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import orjson
import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from prometheus_client import REGISTRY

from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.model.market import Book, Entry, Instrument, Quote, Trade, TradeRun, rows_in
from ares.resilience import Backoff
from ingest.books import BookRoom, BookUpdate
from ingest.collector import collect
from ingest.desk import Desk
from ingest.feed import SPOT, Channel
from ingest.sink import Lane, Sink
from ingest.validation import Limits
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.budget import ConnectBudget
from ingest.venues.native_feed import NativeFeed, Parts

CLOCK = SystemClock()
NAMES = ("BTCUSDT", "ETHUSDT")
OURS = {"BTCUSDT": "BTC/USDT", "ETHUSDT": "ETH/USDT"}
EVERY_S = 0.01


@dataclass
class Market:
    """Trades, quotes and changes of books as fast as told; each line hears them from its subscription on."""

    per_tick: int = 20
    seqs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))
    lines: dict[WSTransport, str] = field(default_factory=dict)
    dialled: int = 0
    refusing: bool = False
    mute: bool = False
    deaf: set[WSTransport] = field(default_factory=set)

    async def run(self) -> None:
        while True:
            for name in NAMES:
                self.tick(name)
            await asyncio.sleep(EVERY_S)

    def tick(self, name: str) -> None:
        now_ms = CLOCK.now_ns() // NANOS_PER_MILLI
        for _ in range(self.per_tick):
            seq = self.seqs[name] = self.seqs[name] + 1
            row = {"e": "aggTrade", "s": name, "a": seq, "p": "100.5", "q": "1", "T": now_ms, "m": True}
            self.say("aggTrade", row)
            self.say("bookTicker", {"u": seq, "s": name, "b": "100", "B": "1", "a": "101", "A": "2"})
        last = self.seqs[name]
        diff = {"e": "depthUpdate", "E": now_ms, "s": name, "U": last - self.per_tick + 1, "u": last}
        self.say("depth@100ms", {**diff, "b": [["100", "1"]], "a": [["101", "2"]]})

    def say(self, stream: str, row: Mapping[str, object]) -> None:
        text = orjson.dumps(row)
        for line, subscribed in list(self.lines.items()):
            if subscribed == stream and line not in self.deaf and not line.is_disconnected:
                line.send(WSMsgType.TEXT, text)

    def say_all(self, stream: str, text: bytes) -> None:
        for line, subscribed in list(self.lines.items()):
            if subscribed == stream:
                line.send(WSMsgType.TEXT, text)

    async def book(self, symbol: str) -> BookUpdate:
        name = next(theirs for theirs, ours in OURS.items() if ours == symbol)
        now_ns, last = CLOCK.now_ns(), self.seqs[name]
        sides = {"bids": ((100.0, 1.0),), "asks": ((101.0, 2.0),)}
        return BookUpdate(
            venue="v",
            symbol=symbol,
            first_id=last,
            last_id=last,
            ts_ns=now_ns,
            received_at_ns=now_ns,
            ts_source="receipt",
            snapshot=True,
            **sides,
        )

    async def close(self) -> None:
        """Nothing to let go of."""


class Seat(WSListener):
    """One client's line."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._market.dialled += 1

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not WSMsgType.TEXT:
            if frame.msg_type is WSMsgType.CLOSE:
                transport.disconnect()
            return
        order = orjson.loads(frame.get_payload_as_bytes())
        if self._market.refusing:
            transport.send(WSMsgType.TEXT, orjson.dumps({"error": {"code": 2, "msg": "Too many"}, "id": order["id"]}))
            return
        if self._market.mute:
            self._market.deaf.add(transport)
        transport.send(WSMsgType.TEXT, orjson.dumps({"result": None, "id": order["id"]}))
        self._market.lines[transport] = order["params"][0].partition("@")[2]

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._market.lines.pop(transport, None)


@dataclass
class Memory:
    """What would be stored."""

    rows: list[Entry] = field(default_factory=list)

    async def write(self, rows: Sequence[Entry]) -> None:
        self.rows += rows

    def of(self, table: str) -> list[Entry]:
        return [row for row in self.rows if row.table == table]

    def ids(self, symbol: str) -> list[int]:
        ids: list[int] = []
        for row in self.of("trades"):
            if isinstance(row, TradeRun) and row.symbol == symbol:
                ids += row.seqs
            elif isinstance(row, Trade) and row.symbol == symbol:
                ids.append(row.seq)
        return ids


@dataclass
class Collecting:
    market: Market
    memory: Memory
    feed: NativeFeed
    tasks: list[asyncio.Task[None]]

    async def until(self, condition: Callable[[], bool], timeout_s: float = 15.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                for task in self.tasks:
                    assert not task.done(), task.result()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def collecting(port: int, recycle_s: float, **changes: object) -> AsyncIterator[Collecting]:
    """Three channels against a market, without a store; the market stops first, so that all it said can arrive."""
    market = Market()
    server = await ws_create_server(lambda _: Seat(market), "127.0.0.1", port)
    venue = VenueConfig(
        rest_url="http://127.0.0.1:9",
        ws_url=f"ws://127.0.0.1:{port}",
        recycle_hours=recycle_s / 3_600,
        connects_per_minute_max=int(str(changes.pop("per_minute", 1_000))),
    )
    settings = {"symbols": tuple(OURS.values()), "backoff_s_min": 0.05, "backoff_s_max": 0.1, "book_s_min": 0.01}
    ingest = IngestConfig.model_validate({**settings, **changes})

    async def markets(_: Sequence[str]) -> Sequence[Instrument]:
        one = Decimal(1)
        return [Instrument("v", ours, theirs, ours[:3], "USDT", *[one] * 5) for theirs, ours in OURS.items()]

    feed = NativeFeed("v", Parts(BinanceDialect(), markets, lambda _: market), venue, ingest, CLOCK)
    await feed.open()
    room = BookRoom(feed.book_rules.follows, 20, 0)
    desk = Desk("v", tuple(OURS.values()), Limits(60.0, 10.0), CLOCK, room)
    memory = Memory()
    backoff = Backoff(0.05, 0.1, random.Random(1))
    lane = Sink(Lane("live", "v", 1_000_000, 10_000, 0.01), memory, CLOCK, backoff)
    collectors = [asyncio.create_task(collect(feed, channel, desk, lane, backoff)) for channel in SPOT]
    tasks = [*collectors, asyncio.create_task(lane.run()), asyncio.create_task(market.run())]
    try:
        yield Collecting(market, memory, feed, tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        server.close()
        await server.wait_closed()


def recycled(channel: Channel, outcome: str = "ok") -> float:
    return REGISTRY.get_sample_value("ares_ingest_recycles_total", {"channel": channel, "outcome": outcome}) or 0.0


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.venues.handover.OVERLAP_S", 0.2)
    monkeypatch.setattr("ingest.venues.handover.OVERLAP_S_MAX", 1.0)


def whole(run: Collecting) -> None:
    """No gap, no trade missing or twice, no quote twice, no book that goes back."""
    assert [row.columns for row in run.memory.of("gaps")] == []  # type: ignore[union-attr]
    for symbol in OURS.values():
        ids = run.memory.ids(symbol)
        assert ids == list(range(ids[0], ids[-1] + 1))
        quotes = [row.update_id for row in run.memory.of("quotes") if isinstance(row, Quote) and row.symbol == symbol]
        assert quotes == list(range(quotes[0], quotes[-1] + 1))
        books = [row for row in run.memory.of("books") if isinstance(row, Book) and row.symbol == symbol]
        ids = [book.update_id for book in books if book.ts_source == "venue"]  # a snapshot has the time of its receipt
        assert ids == sorted(set(ids))


async def test_connections_are_replaced_again_and_again_at_a_high_rate_and_nothing_is_missed(port: int) -> None:
    before = {channel: recycled(channel) for channel in SPOT}
    async with collecting(port, recycle_s=0.3) as run:
        await run.until(lambda: all(recycled(channel) >= before[channel] + 4 for channel in SPOT))
        whole(run)
        assert len(run.market.lines) <= 6
        assert rows_in(run.memory.of("trades")) > 1_000
        assert all(run.feed.is_live(channel) for channel in SPOT)


async def test_a_second_connection_that_is_refused_leaves_the_first_and_is_tried_again(port: int) -> None:
    refused = recycled("trades", "venue_rejected")
    async with collecting(port, recycle_s=0.5) as run:
        await run.until(lambda: len(run.market.lines) == 3)
        run.market.refusing = True
        await run.until(lambda: recycled("trades", "venue_rejected") >= refused + 2)
        whole(run)
        swapped = recycled("trades")
        run.market.refusing = False
        await run.until(lambda: recycled("trades") > swapped)
        whole(run)


async def test_a_second_connection_that_brings_nothing_never_takes_over(port: int) -> None:
    late = recycled("trades", "venue_unavailable")
    async with collecting(port, recycle_s=0.5) as run:
        await run.until(lambda: len(run.market.lines) == 3)
        run.market.mute = True
        await run.until(lambda: recycled("trades", "venue_unavailable") > late)
        known = len(run.memory.ids("BTC/USDT"))
        await run.until(lambda: len(run.memory.ids("BTC/USDT")) > known)
        whole(run)


@pytest.mark.parametrize(
    "goodbye", [b'{"e":"serverShutdown","E":1770123456789}', b'{"event":{"e":"serverShutdown","E":1770123456789}}']
)
async def test_a_venue_that_says_it_will_hang_up_is_dialled_anew_at_once(port: int, goodbye: bytes) -> None:
    before = recycled("trades")
    async with collecting(port, recycle_s=0.0) as run:
        await run.until(lambda: len(run.memory.ids("BTC/USDT")) > 100)
        assert recycled("trades") == before
        run.market.say_all("aggTrade", goodbye)
        await run.until(lambda: recycled("trades") == before + 1)
        assert run.memory.of("quarantine") == []
        whole(run)


async def test_a_first_connection_that_dies_in_the_middle_of_the_overlap_costs_nothing(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.venues.handover.OVERLAP_S", 30.0)
    monkeypatch.setattr("ingest.venues.handover.OVERLAP_S_MAX", 60.0)
    async with collecting(port, recycle_s=0.5) as run:
        await run.until(lambda: len(run.market.lines) == 6)
        await asyncio.sleep(0.3)
        firsts = list(run.market.lines)[:3]
        for line in firsts:
            line.disconnect()
        await run.until(lambda: not set(firsts) & set(run.market.lines))
        known = len(run.memory.ids("BTC/USDT"))
        await run.until(lambda: len(run.memory.ids("BTC/USDT")) > known + 100)
        whole(run)


async def test_a_storm_of_hang_ups_dials_no_more_than_the_budget_and_all_channels_share_it(port: int) -> None:
    async with collecting(port, recycle_s=0.2, per_minute=7) as run:
        for _ in range(40):
            for line in list(run.market.lines):
                line.disconnect()
            await asyncio.sleep(0.05)
        assert run.market.dialled == 7


async def test_a_wait_that_the_venue_asks_one_channel_for_holds_all_of_them() -> None:
    budget = ConnectBudget("v", 100, CLOCK)
    budget.hold(0.3)
    began_s = CLOCK.monotonic_s()
    await asyncio.gather(*(budget.spend() for _ in SPOT))
    assert CLOCK.monotonic_s() - began_s >= 0.3
