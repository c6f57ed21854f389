"""A real recording through decoders, sink and writer into a real QuestDB: its bars are the venue's own candle."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pytest

from ares.clock import SystemClock
from ares.config.settings import IngestConfig
from ares.errors import VenueUnavailable
from ares.model.market import Instrument
from ares.resilience import Backoff
from ares.store import Database, RowWriter
from ingest.collector import collect
from ingest.desk import Desk
from ingest.feed import SPOT, BookRules, Channel, Frame, MarketEvent
from ingest.sink import Lane, Sink
from ingest.validation import Limits
from ingest.venues.binance.dialect import BinanceDialect
from ingest.venues.wire import Names

RECORDING = Path(__file__).resolve().parents[2] / "simulator" / "recordings" / "spot_btcusdt_20240808.gz"
SYMBOL = "BTC/USDT"
BATCH_FRAMES = 500
RECORDED_NS = 1_723_161_600_000_000_000

BAR = """
SELECT arg_min(price, seq) AS open, max(price) AS high, min(price) AS low, arg_max(price, seq) AS close,
  sum(amount) AS volume, sum(price * amount) AS cost, count() AS trades,
  sum(CASE WHEN side = 'buy' THEN amount ELSE 0.0 END) AS buy_volume
FROM trades WHERE venue = %(venue)s AND ts >= '2024-08-08T23:50' SAMPLE BY 5m ORDER BY ts
"""


@dataclass
class ReplayFeed:
    """The recorded frames of one channel, then the end of the connection."""

    venue: str
    names: Names
    ended: asyncio.Event
    dialect: BinanceDialect = field(default_factory=BinanceDialect)
    channels: Sequence[Channel] = SPOT

    async def open(self) -> Sequence[Instrument]:
        return []

    async def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        batch: list[Frame] = []
        for frame in recorded(channel):
            batch.append(frame)
            if len(batch) == BATCH_FRAMES:
                yield batch
                batch = []
        yield batch
        self.ended.set()
        raise VenueUnavailable("the recording ends")

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        return self.dialect.decode(frame.channel, frame.payload, self.names, frame.received_at_ns)

    def runs(self, frames: Sequence[Frame]) -> None:
        return None

    @property
    def book_rules(self) -> BookRules:
        return self.dialect.book_rules

    def reconfigure(self, ingest: IngestConfig) -> None:
        raise AssertionError("a recording does not change")

    def resync(self, symbol: str, _channel: Channel) -> None:
        raise AssertionError(f"the book of {symbol} broke, but the recording is whole")

    def renew(self, _channel: Channel) -> None:
        raise AssertionError("nothing to renew")

    def is_live(self, _channel: Channel) -> bool:
        return True

    async def close(self) -> None:
        return


def recorded(channel: Channel) -> Iterator[Frame]:
    """Lines are "<capture ns> <json>". It holds single trades, which have the shape of aggregates of one: t is a.

    Quotes are stored by their time of receipt, and not for long, so they are received now.
    """
    shift_ns = 0 if channel == "trades" else SystemClock().now_ns() - RECORDED_NS
    kind = "trade" if channel == "trades" else "bookTicker"
    with gzip.open(RECORDING, "rb") as lines:
        for line in lines:
            stamp, _, text = line.partition(b" ")
            message = orjson.loads(text)
            frame = message.get("data", message)
            if not str(message.get("stream", "")).endswith(f"@{kind}"):
                continue
            yield Frame(channel, {**frame, "a": frame["t"]} if kind == "trade" else frame, int(stamp) + shift_ns)


async def replay(channel: Channel, venue: str, writer: RowWriter) -> Desk:
    clock = SystemClock()
    desk = Desk(venue, (SYMBOL,), Limits(60.0, 10.0), clock)
    backoff = Backoff(0.05, 0.1, random.Random(1))
    sink = Sink(Lane("live", venue, 20_000, 10_000, 0.02), writer, clock, backoff)
    sink.on_acked = desk.ledger.acked
    feed = ReplayFeed(venue, Names(venue, {"BTCUSDT": SYMBOL}), asyncio.Event())
    tasks = [
        asyncio.create_task(sink.run()),
        asyncio.create_task(collect(feed, channel, desk, sink, Backoff(60.0, 60.0, random.Random(1)))),
    ]
    try:
        async with asyncio.timeout(60):
            await feed.ended.wait()
            await sink.drain()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return desk


async def test_bars_of_the_recorded_trades_equal_the_venues_own_candle(
    database: Database, writer: RowWriter, venue: str
) -> None:
    desk = await replay("trades", venue, writer)
    await database.wait_applied(["trades", "gaps", "quarantine"])
    before, whole, after = await database.fetch(BAR, {"venue": venue})
    assert (whole["open"], whole["high"], whole["low"], whole["close"]) == (61828.0, 61860.8, 61583.22, 61685.99)
    assert whole["trades"] == 8863
    assert whole["volume"] == pytest.approx(199.42863, abs=1e-9)
    assert whole["cost"] == pytest.approx(12304668.0254055, rel=1e-12)
    assert whole["buy_volume"] == pytest.approx(90.18301, abs=1e-9)
    counts = [bar["trades"] for bar in (before, after)]
    assert sum(int(str(count)) for count in counts) == 9757 - 8863
    assert desk.ledger.accounts[SYMBOL].acked == 9757
    assert await database.fetch("SELECT * FROM quarantine WHERE venue = %(venue)s", {"venue": venue}) == []
    gaps = await database.fetch("SELECT cause FROM gaps WHERE venue = %(venue)s", {"venue": venue})
    assert [gap["cause"] for gap in gaps] == ["disconnect"]


async def test_replaying_the_recording_twice_leaves_every_trade_once(
    database: Database, writer: RowWriter, venue: str
) -> None:
    for _ in range(2):
        await replay("trades", venue, writer)
    await database.wait_applied(["trades"])
    counted = "SELECT count() AS n FROM trades WHERE venue = %(venue)s"
    assert await database.fetch(counted, {"venue": venue}) == [{"n": 9757}]


async def test_every_recorded_quote_is_stored(database: Database, writer: RowWriter, venue: str) -> None:
    await replay("quotes", venue, writer)
    await database.wait_applied(["quotes"])
    frames = sum(1 for _ in recorded("quotes"))
    ids = "SELECT count_distinct(update_id) AS n FROM quotes WHERE venue = %(venue)s AND bid < ask"
    assert frames == 28_040
    assert await database.fetch(ids, {"venue": venue}) == [
        {"n": len({f.payload["u"] for f in recorded("quotes") if isinstance(f.payload, dict)})}
    ]
