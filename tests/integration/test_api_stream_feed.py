"""Goal: what comes late, in parts or by the minute is given to who reads, once, and a quiet channel costs no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from analytics.testing import SyntheticMarket
from api.moments import moment_ns
from api.stream.channels import BY_NAME, Row
from api.stream.feed import Feed
from api.stream.pending import Item
from api.stream.recent import ROWS_MAX
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, isoformat
from ares.model.row import Row as Stored
from ares.model.row import UtcNs
from ares.store import Database, Param, RowWriter
from ares.store.pool import Record
from tests.api import ACCOUNT
from tests.integration.test_api import fill

SOON_S = 15.0
SYMBOLS = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
LONG_AGO_NS = 1_546_300_800 * NANOS_PER_SECOND
MINUTES = 500_000


class Then(SystemClock):
    """The clock of another time, which a test may move."""

    def __init__(self, now_ns: int) -> None:
        self.ahead_ns = now_ns - super().now_ns()

    def now_ns(self) -> int:
        return super().now_ns() + self.ahead_ns

    def move(self, seconds: float) -> None:
        self.ahead_ns += round(seconds * NANOS_PER_SECOND)


class Given:
    """What a reader was given of its own venue."""

    def __init__(self, venue: str) -> None:
        self.rows: list[Row] = []
        self.missed = 0
        self._venue = venue
        self._more = asyncio.Event()

    def __call__(self, items: Sequence[Item]) -> None:
        self.rows += [item.row for item in items if item.row["venue"] == self._venue]
        self._more.set()

    def miss(self) -> None:
        self.missed += 1

    async def until(self, **wanted: object) -> None:
        """Wait for a row."""
        async with asyncio.timeout(SOON_S):
            while not any(wanted.items() <= row.items() for row in self.rows):
                self._more.clear()
                await self._more.wait()


@pytest.fixture
def minute_ns(venue: str) -> int:
    """A minute of this test alone: a channel is read for all venues at once."""
    return LONG_AGO_NS + int(venue[-6:], 16) % MINUTES * MINUTE_NS


@asynccontextmanager
async def reading(database: Database, clock: Then, channel: str, given: Given) -> AsyncIterator[Feed]:
    feed = Feed(database, clock)
    running = asyncio.create_task(feed.run())
    try:
        async with feed.reading(BY_NAME[channel], given, given.miss):
            yield feed
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_minute_is_given_once_it_is_over(
    database: Database, writer: RowWriter, venue: str, minute_ns: int
) -> None:
    market, given = SyntheticMarket(venue, symbols=SYMBOLS[:1]), Given(venue)
    over_ns = minute_ns + MINUTE_NS + NANOS_PER_SECOND
    async with reading(database, Then(over_ns), "bars", given):
        await writer.write([market.trade(SYMBOLS[0], at_ns) for at_ns in range(minute_ns - MINUTE_NS, over_ns, 10**10)])
        await writer.write(market.marks(SystemClock().now_ns(), over_ns, ("trades",)))
        await given.until(ts=isoformat(minute_ns), status="traded")


async def test_signals_of_a_minute_are_given_whenever_they_come_and_each_once(
    database: Database, writer: RowWriter, venue: str, minute_ns: int
) -> None:
    given = Given(venue)
    async with reading(database, Then(minute_ns + MINUTE_NS + NANOS_PER_SECOND), "signals", given):
        for symbol in SYMBOLS:
            await writer.write([signal(venue, symbol, minute_ns, revision=0)])
            await given.until(symbol=symbol, revision=0)
        await writer.write([signal(venue, SYMBOLS[0], minute_ns, revision=1)])
        await given.until(symbol=SYMBOLS[0], revision=1)
    assert len(given.rows) == len(SYMBOLS) + 1


async def test_what_waited_for_the_database_is_given_in_however_many_parts_it_comes(
    database: Database, writer: RowWriter, venue: str, minute_ns: int
) -> None:
    clock, given = Then(minute_ns), Given(venue)
    async with reading(database, clock, "fills", given) as feed:
        await writer.write([of_then(venue, 0, minute_ns)])
        await given.until(fill_id="f0")
        clock.move(600)
        for number in range(1, 4):
            await writer.write([of_then(venue, number, minute_ns + number * MINUTE_NS)])
            await given.until(fill_id=f"f{number}")
            assert feed.place_ns(BY_NAME["fills"]) < minute_ns + number * MINUTE_NS  # who goes on there gets the next
    assert [row["fill_id"] for row in given.rows] == ["f0", "f1", "f2", "f3"]


async def test_what_was_there_before_is_not_given_though_it_is_the_newest(
    database: Database, writer: RowWriter, venue: str, minute_ns: int
) -> None:
    await writer.write([of_then(venue, 0, minute_ns)])
    await database.wait_applied(["fills"])
    given = Given(venue)
    async with reading(database, Then(minute_ns + MINUTE_NS), "fills", given):
        await writer.write([of_then(venue, 1, minute_ns + 30 * NANOS_PER_SECOND)])
        await given.until(fill_id="f1")
    assert [row["fill_id"] for row in given.rows] == ["f1"]


async def test_a_crowd_that_was_there_before_hides_nothing_and_is_nothing_missed(
    database: Database, writer: RowWriter, venue: str, minute_ns: int
) -> None:
    market, given = SyntheticMarket(venue, symbols=SYMBOLS[:1]), Given(venue)
    milli_ns = NANOS_PER_SECOND // 1_000
    crowd = [market.trade(SYMBOLS[0], minute_ns + number * milli_ns) for number in range(ROWS_MAX + 10)]
    await writer.write(crowd)
    await database.wait_applied(["trades"])
    async with reading(database, Then(minute_ns + 6 * NANOS_PER_SECOND), "trades", given):
        await asyncio.sleep(0.5)  # a look that finds nothing new
        new = market.trade(SYMBOLS[0], minute_ns + 5_500 * milli_ns)
        await writer.write([new])
        await given.until(trade_id=new.trade_id)
    assert (len(given.rows), given.missed) == (1, 0)


async def test_a_quiet_channel_is_read_no_further_back_than_it_reaches(
    database: Database, writer: RowWriter, venue: str, minute_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reach_ns, since_ns, fetch = BY_NAME["trades"].reach_ns, 0, database.fetch

    async def watched(sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
        nonlocal since_ns
        since_ns = moment_ns("since", str(params["since"])) if params else since_ns
        return await fetch(sql, params)

    monkeypatch.setattr(database, "fetch", watched)
    clock, market = Then(minute_ns), SyntheticMarket(venue, symbols=SYMBOLS)
    async with reading(database, clock, "trades", Given(venue)):
        clock.move(10 * reach_ns / NANOS_PER_SECOND)
        for number in range(3):
            await writer.write([market.trade(SYMBOLS[0], minute_ns - 24 * 3_600 * NANOS_PER_SECOND + number)])
            await database.wait_applied(["trades"])
            await asyncio.sleep(0.5)
    assert clock.now_ns() - 2 * reach_ns < since_ns < clock.now_ns() - reach_ns


def of_then(venue: str, number: int, ts_ns: int) -> Stored:
    return replace(fill(venue, ACCOUNT, number), ts_ns=ts_ns)


def signal(venue: str, symbol: str, ts_ns: int, *, revision: int) -> Stored:
    symbols = {"venue": venue, "symbol": symbol, "strategy": "signal_momentum", "known_at_kind": "live"}
    known_at = UtcNs(ts_ns + MINUTE_NS)
    return Stored("signal_values", ts_ns, symbols, {"version": 1, "revision": revision, "known_at": known_at})
