"""Frames become rows, outages become gaps, and history fills them: the loops, with a venue that follows a script."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
import pytest

from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock
from ares.config.settings import IngestConfig
from ares.errors import MalformedFrame, VenueError, VenueRejected, VenueUnavailable
from ares.model.market import Bar, Book, Entry, Instrument, Quote, Trade
from ares.resilience import Backoff
from ares.testing.clock import SteppedClock
from ingest.backfill import BarKeeper, TradeBackfill
from ingest.books import BookUpdate
from ingest.collector import cause_of, collect
from ingest.desk import Desk
from ingest.feed import SPOT, BookRules, ChainBroken, Channel, Frame, MarketEvent, Rejected, Silence, TradePage
from ingest.healing import LOOKS_MAX, Healer
from ingest.history import SoundHistory, wait_of
from ingest.sink import Lane, Sink
from ingest.stalls import StallWatch
from ingest.validation import Limits, Validator
from ingest.venues.binance.decoder import follows

BTC = "BTC/USDT"
CLOCK = SystemClock()
T0 = CLOCK.now_ns() - 3_600 * NANOS_PER_SECOND
LIMITS = Limits(60.0, 10.0)


def trade(seq: int, price: float = 100.0) -> Trade:
    return Trade("sim", BTC, str(seq), seq, "buy", price, 1.0, T0 + seq * NANOS_PER_SECOND, T0, "stream")


def quote(update_id: int) -> Quote:
    return Quote("sim", BTC, update_id, 99.0, 1.0, 101.0, 1.0, T0 + update_id, T0 + update_id, "receipt")


@dataclass
class Memory:
    """A store that keeps rows in order."""

    rows: list[Entry] = field(default_factory=list)

    async def write(self, rows: Sequence[Entry]) -> None:
        self.rows += rows

    def seqs(self) -> list[object]:
        return [row.columns["seq"] for row in self.rows if row.table == "trades"]

    def gaps(self) -> list[tuple[str, object, object]]:
        gaps = [row for row in self.rows if row.table == "gaps"]
        return [(row.symbols["status"], row.columns["first_seq"], row.columns["last_seq"]) for row in gaps]


@dataclass
class Script:
    """A venue: `live` is streamed connection by connection, each ending in an error; `past` is what it remembers."""

    live: Sequence[tuple[Sequence[object], VenueError]] = ()
    past: Mapping[int, Trade] = field(default_factory=dict)
    bars_listed: Sequence[Bar] = ()
    troubles: list[VenueError] = field(default_factory=list)
    asked: list[tuple[int, int]] = field(default_factory=list)
    resynced: list[str] = field(default_factory=list)
    snapshots: list[tuple[float, float, int]] = field(default_factory=list)
    renewed: list[Channel] = field(default_factory=list)
    venue: str = "sim"
    channels: Sequence[Channel] = SPOT
    up: bool = True

    async def open(self) -> Sequence[Instrument]:
        return []

    async def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        live, self.live = self.live, ()
        for payloads, error in live[:1]:
            self.live = live[1:]
            yield [Frame(channel, payload, T0) for payload in payloads]
            raise error
        await asyncio.sleep(60)

    @property
    def book_rules(self) -> BookRules:
        return BookRules(follows)

    def runs(self, frames: Sequence[Frame]) -> None:
        return None

    def reconfigure(self, ingest: IngestConfig) -> None:
        self.up = True

    def resync(self, symbol: str, _channel: Channel) -> None:
        self.resynced.append(symbol)

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        if not isinstance(frame.payload, Trade | Quote | Book | BookUpdate):
            raise MalformedFrame("frame", "not in the script")
        return (frame.payload,)

    def renew(self, channel: Channel) -> None:
        self.renewed.append(channel)

    def is_live(self, _channel: Channel) -> bool:
        return self.up

    async def close(self) -> None:
        self.up = False

    async def trades(self, _symbol: str, from_seq: int, count: int) -> TradePage:
        self.asked.append((from_seq, count))
        if self.troubles:
            raise self.troubles.pop(0)
        listed = [self.past[seq] for seq in sorted(self.past) if seq >= from_seq]
        return TradePage(listed[:count])

    async def latest_trade(self, _symbol: str) -> Trade | None:
        if self.troubles:
            raise self.troubles.pop(0)
        return self.past[max(self.past)] if self.past else None

    async def book(self, symbol: str) -> BookUpdate:
        if not self.snapshots:
            raise VenueRejected("book", "on the stream")
        bid, ask, last_id = self.snapshots[0] if len(self.snapshots) == 1 else self.snapshots.pop(0)
        sides = {"bids": ((bid, 1.0), (bid - 1, 1.0)), "asks": ((ask + 1, 1.0), (ask, 1.0))}
        ids = {"first_id": last_id, "last_id": last_id, "ts_ns": T0, "received_at_ns": T0}
        return BookUpdate(venue="sim", symbol=symbol, ts_source="receipt", snapshot=True, **ids, **sides)

    async def bars(self, _symbol: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        if self.troubles:
            raise self.troubles.pop(0)
        return [bar for bar in self.bars_listed if start_ns <= bar.ts_ns < end_ns]


@dataclass
class Room:
    """The parts around a script, put together as the service does."""

    script: Script
    desk: Desk
    memory: Memory
    lane: Sink
    healer: Healer
    history: SoundHistory

    def backoff(self) -> Backoff:
        return Backoff(0.001, 0.002, random.Random(1))

    async def collect(self, channel: Channel, until: Callable[[], bool]) -> None:
        task = asyncio.create_task(collect(self.script, channel, self.desk, self.lane, self.backoff()))
        async with asyncio.timeout(5):
            while not until():
                await asyncio.sleep(0.002)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await self.lane.drain()


@asynccontextmanager
async def room(script: Script) -> AsyncIterator[Room]:
    memory = Memory()
    lane = Sink(Lane("live", "sim", 10_000, 1_000, 0.001), memory, CLOCK, Backoff(0.001, 0.002, random.Random(1)))
    desk = Desk("sim", (BTC,), LIMITS, CLOCK)
    lane.on_acked, lane.on_refused = desk.ledger.acked, desk.refused
    history = SoundHistory(script, Validator(LIMITS), CLOCK)
    task = asyncio.create_task(lane.run())
    try:
        yield Room(script, desk, memory, lane, Healer(desk, script, history, lane, lane, CLOCK), history)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    monkeypatch.setattr("ingest.healing.LOOK_AGAIN_S", 0.001)
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.05)
    monkeypatch.setattr("ingest.stalls.LOOK_S", 0.002)
    monkeypatch.setattr("ingest.stalls.CATCH_UP_S", 0.01)
    monkeypatch.setattr("ingest.stalls.PATIENCE_S_MIN", 0.01)
    monkeypatch.setattr("ingest.stalls.VIEWS_PER_MINUTE_MAX", 60_000)


LOST = VenueUnavailable("lost")


async def test_every_frame_becomes_rows_and_every_outage_a_gap() -> None:
    script = Script(live=[([trade(1), "garbage", trade(2), trade(2)], LOST), ([trade(5)], Silence("nothing comes"))])
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 5)
    assert there.memory.seqs() == [1, 2, 5]
    assert there.memory.gaps()[:2] == [("open", 3, None), ("open", 3, 4)]
    assert [row.symbols["field"] for row in there.memory.rows if row.table == "quarantine"] == ["frame"]


async def test_implausible_events_are_refused_by_value_and_by_id() -> None:
    far = msgspec.structs.replace(trade(2), seq=10**12)
    script = Script(live=[([trade(1), trade(2, price=99_999.0), far, trade(2)], LOST)])
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 2)
    fields = [row.symbols["field"] for row in there.memory.rows if row.table == "quarantine"]
    assert fields == ["price", "trade_id"]


async def test_quotes_seen_before_are_not_stored_twice_and_an_outage_closes_as_lost() -> None:
    script = Script(live=[([quote(1), quote(1), quote(2)], LOST), ([quote(3)], LOST)])
    async with room(script) as there:
        await there.collect("quotes", lambda: there.desk.outages["quotes"].open_count == 1 and not script.live)
    updates = [row.columns["update_id"] for row in there.memory.rows if row.table == "quotes"]
    assert updates == [1, 2, 3]
    assert sorted(status for status, _, _ in there.memory.gaps()) == ["lost", "open", "open"]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (VenueUnavailable("x"), "disconnect"),
        (Silence("x"), "silence"),
        (ChainBroken("x"), "id_jump"),
        (VenueRejected("BadSymbol", "x"), "refused"),
    ],
)
def test_cause_of_an_outage_is_told_by_its_error(error: VenueError, cause: str) -> None:
    assert cause_of(error) == cause


async def test_missing_ids_are_fetched_newest_page_first_and_the_gap_closes() -> None:
    script = Script(live=[([trade(1), trade(2_503)], LOST)], past={seq: trade(seq) for seq in range(1, 2_504)})
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 2_503)
        await there.healer.heal_all(BTC)
        await there.lane.drain()
    assert sorted(map(int, map(str, there.memory.seqs()))) == list(range(1, 2_504))
    assert script.asked == [(1_503, 1_000), (503, 1_000), (2, 501)]
    assert ("healed", 2, 2_502) in there.memory.gaps()


async def test_open_end_is_bounded_by_the_venues_latest_trade_once_the_stream_is_back() -> None:
    script = Script(live=[([trade(1)], LOST)], past={seq: trade(seq) for seq in range(1, 4)})
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].tail is not None)
        script.up = False
        await there.healer.heal_all(BTC)
        assert there.desk.intakes[BTC].tail is not None
        script.up = True
        await there.healer.heal_all(BTC)
        await there.lane.drain()
    assert there.memory.seqs() == [1, 2, 3]
    assert there.memory.gaps() == [("open", 2, None), ("open", 2, 3), ("healed", 2, 3)]


async def test_ids_that_the_venue_does_not_list_are_lost_after_several_looks() -> None:
    past = {seq: trade(seq) for seq in (1, 2, 4, 5)}
    script = Script(live=[([trade(1), trade(5)], LOST)], past=past)
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 5)
        await there.healer.heal_all(BTC)
        await there.lane.drain()
    assert there.memory.seqs() == [1, 5, 2, 4]
    assert there.memory.gaps()[-1] == ("lost", 3, 3)
    assert len(script.asked) == LOOKS_MAX


async def test_implausible_trade_of_history_is_quarantined_and_stays_missing() -> None:
    past = {1: trade(1), 2: trade(2, price=float("nan")), 3: trade(3)}
    async with room(Script(live=[([trade(1), trade(3)], LOST)], past=past)) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 3)
        await there.healer.heal_all(BTC)
        await there.lane.drain()
    assert there.memory.gaps()[-1] == ("lost", 2, 2)
    assert any(row.table == "quarantine" and row.symbols["field"] == "price" for row in there.memory.rows)


async def test_healer_waits_for_a_venue_that_does_not_answer() -> None:
    past = {seq: trade(seq) for seq in (1, 2, 3)}
    script = Script(live=[([trade(1), trade(3)], LOST)], past=past, troubles=[LOST, VenueUnavailable("429", 0.001)])
    async with room(script) as there:
        await there.collect("trades", lambda: there.desk.intakes[BTC].last == 3)
        task = asyncio.create_task(there.healer.run(BTC, there.backoff()))
        async with asyncio.timeout(5):
            while there.desk.intakes[BTC].gaps:
                await asyncio.sleep(0.002)
        task.cancel()
        await there.lane.drain()
    assert 2 in there.memory.seqs()


async def test_venue_that_refuses_the_question_has_none_of_the_trades() -> None:
    script = Script(past={1: trade(1)}, troubles=[VenueRejected("BadRequest", "no such id")])
    async with room(script) as there:
        page = await there.history.page(BTC, (1, 5))
    assert (page.trades, page.rejected) == ([], ())


async def test_backfill_reaches_the_horizon_newest_first_and_records_holes_as_lost() -> None:
    past = {seq: trade(seq) for seq in range(1, 3_001) if seq != 2_500}
    script = Script(past=past, troubles=[LOST])
    async with room(script) as there:
        there.desk.intakes[BTC].start_after(2_999, trade(2_999).ts_ns)
        reports: list[float] = []
        backfill = TradeBackfill(
            there.desk, there.history, there.lane, CLOCK, lambda _s, _n, share: reports.append(share)
        )
        hours = (CLOCK.now_ns() - trade(1_500).ts_ns) / (3_600 * NANOS_PER_SECOND)
        fetched = await backfill.run(BTC, hours, there.backoff())
    assert fetched == len(there.memory.seqs()) == 1_999
    assert min(map(int, map(str, there.memory.seqs()))) == 1_000
    assert there.memory.gaps() == [("lost", 2_500, 2_500)]
    assert reports[-1] == 1.0


async def test_backfill_in_a_quiet_market_starts_from_the_venues_latest_trade_and_ends_where_history_does() -> None:
    script = Script(past={seq: trade(seq) for seq in range(40, 60)}, troubles=[LOST])
    async with room(script) as there:
        backfill = TradeBackfill(there.desk, there.history, there.lane, CLOCK)
        assert await backfill.run(BTC, 24.0, there.backoff()) == 20
        assert there.desk.intakes[BTC].judge(trade(60)).value == "next"


async def test_backfill_waits_for_the_first_trade_of_a_new_market(monkeypatch: pytest.MonkeyPatch) -> None:
    script = Script()
    async with room(script) as there:
        backfill = TradeBackfill(there.desk, there.history, there.lane, CLOCK)
        task = asyncio.create_task(backfill.run(BTC, 24.0, there.backoff()))
        await asyncio.sleep(0.2)
        script.past = {1: trade(1)}
        async with asyncio.timeout(5):
            assert await task == 1


def bar(minute: int, high: float = 2.0) -> Bar:
    return Bar("sim", BTC, minute * MINUTE_NS, 1.0, high, 1.0, 1.5, 1.0, 1.0, 1, 0.5, 0)


async def test_candles_are_fetched_up_to_the_last_closed_minute_and_nonsense_is_quarantined() -> None:
    clock = SteppedClock(start_ns=1_440 * MINUTE_NS + 30 * NANOS_PER_SECOND)
    script = Script(bars_listed=[bar(n, 0.5 if n == 1_430 else 2.0) for n in range(1_500)], troubles=[LOST])
    async with room(script) as there:
        keeper = BarKeeper("sim", there.history, there.lane, clock)
        task = asyncio.create_task(keeper.backfill(BTC, 0, there.backoff()))
        async with asyncio.timeout(5):
            while not task.done():
                await clock.advance(0.01)
                await asyncio.sleep(0.001)
        assert await task == 1_439
    starts = [row.ts_ns // MINUTE_NS for row in there.memory.rows if row.table == "venue_bars_1m"]
    assert (starts[0], starts[-1]) == (0, 1_439)
    assert [row.symbols["field"] for row in there.memory.rows if row.table == "quarantine"] == ["high"]


async def test_candles_are_refreshed_after_each_minute() -> None:
    clock = SteppedClock(start_ns=100 * MINUTE_NS)
    async with room(Script(bars_listed=[bar(n) for n in range(200)])) as there:
        keeper = BarKeeper("sim", there.history, there.lane, clock)
        task = asyncio.create_task(keeper.refresh(BTC, there.backoff()))
        for _ in range(130):
            await clock.advance(1.0)
            await asyncio.sleep(0.001)
        task.cancel()
        await there.lane.drain()
    starts = {row.ts_ns // MINUTE_NS for row in there.memory.rows}
    assert starts == {98, 99, 100, 101}


def test_venues_wish_to_wait_longer_is_honoured() -> None:
    backoff = Backoff(0.001, 0.002, random.Random(1))
    assert wait_of(VenueUnavailable("429", 7.0), backoff) == 7.0
    assert wait_of(VenueRejected("BadSymbol", "x"), backoff) < 0.01


def test_refused_trade_of_the_store_is_recorded_as_lost() -> None:
    desk = Desk("sim", (BTC,), LIMITS, CLOCK)
    rows = desk.refused(trade(7))
    assert [(row.symbols["status"], row.columns["first_seq"]) for row in rows] == [("lost", 7)]
    assert desk.refused(quote(1)) == []


def test_rejected_frame_without_a_known_symbol_has_none_in_its_row() -> None:
    assert "symbol" not in Rejected("trades", "frame", "x", "raw", T0).to_row("sim").symbols


@asynccontextmanager
async def watching(there: Room, known: int) -> AsyncIterator[StallWatch]:
    """A watch over trades up to this id; its patience ends at once."""
    there.desk.intakes[BTC].start_after(known, T0)
    watch_of = StallWatch(there.desk, there.script, there.history, CLOCK, lambda: 0.01)
    task = asyncio.create_task(watch_of.run("trades", BTC, there.backoff()))
    try:
        yield watch_of
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_stream_that_keeps_a_trade_to_itself_is_given_up() -> None:
    async with room(Script(past={5: trade(5)})) as there, watching(there, 4):
        async with asyncio.timeout(5):
            while not there.script.renewed:
                await asyncio.sleep(0.002)
    assert set(there.script.renewed) == {"trades"}


async def test_a_quiet_market_keeps_its_connection() -> None:
    troubles: list[VenueError] = [LOST, LOST]
    async with room(Script(past={5: trade(5)}, troubles=troubles)) as there, watching(there, 5):
        async with asyncio.timeout(5):
            while there.script.troubles:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.05)
    assert there.script.renewed == []


async def test_a_trade_that_the_stream_brings_late_is_no_stall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.stalls.CATCH_UP_S", 0.2)
    async with room(Script(past={5: trade(5)})) as there, watching(there, 4):
        await asyncio.sleep(0.1)
        there.desk.intakes[BTC].accept(trade(5), T0)
        await asyncio.sleep(0.3)
    assert there.script.renewed == []


async def test_a_stream_that_is_known_to_be_lost_is_not_asked_about() -> None:
    async with room(Script(past={5: trade(5)}, up=False)) as there, watching(there, 4):
        await asyncio.sleep(0.1)
    assert there.script.renewed == []


@asynccontextmanager
async def watching_quotes(there: Room) -> AsyncIterator[None]:
    """A watch over quotes of which one came; its patience ends at once."""
    there.desk.rows_of(there.script, [Frame("quotes", quote(7), T0)])
    watch_of = StallWatch(there.desk, there.script, there.history, CLOCK, lambda: 0.01)
    task = asyncio.create_task(watch_of.run("quotes", BTC, there.backoff()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def given_up(script: Script) -> bool:
    """Whether the connection of quotes is renewed within a hundred looks."""
    async with room(script) as there, watching_quotes(there):
        for _ in range(100):
            await asyncio.sleep(0.005)
            if script.renewed:
                return True
    return False


SEEN = (quote(7).bid, quote(7).ask)


async def test_quotes_that_stand_still_while_rests_book_moved_away_are_given_up() -> None:
    script = Script(snapshots=[(SEEN[0] - 1.0, SEEN[1], 9)])
    assert await given_up(script)
    assert set(script.renewed) == {"quotes"}


async def test_quotes_of_a_quiet_market_keep_their_connection_though_other_levels_change() -> None:
    assert not await given_up(Script(snapshots=[(*SEEN, 9), (*SEEN, 10), (*SEEN, 11)]))


async def test_one_look_that_differs_gives_nothing_up() -> None:
    looks = [(SEEN[0] - 1.0, SEEN[1], 9), (SEEN[0], SEEN[1] + 1.0, 10)] * 200
    assert not await given_up(Script(snapshots=looks))


async def test_without_snapshots_or_another_channel_there_is_nothing_to_hold_against_a_silence() -> None:
    assert not await given_up(Script())


async def test_without_snapshots_the_books_channel_bears_witness() -> None:
    script = Script()
    async with room(script) as there:
        bid, ask = SEEN[0] + 1.0, SEEN[1] + 1.0
        book = Book("sim", BTC, 3, ((bid, 1.0),), ((ask, 1.0),), T0, T0, "venue")
        there.desk.rows_of(script, [Frame("books", book, T0)])
        async with watching_quotes(there), asyncio.timeout(5):
            while not script.renewed:
                await asyncio.sleep(0.002)
    assert set(script.renewed) == {"quotes"}


async def test_a_long_silence_is_asked_about_ever_more_rarely() -> None:
    script = Script(snapshots=[(*SEEN, n) for n in range(1_000)])
    assert not await given_up(script)
    asked = 1_000 - len(script.snapshots)
    assert 1 <= asked <= 8
