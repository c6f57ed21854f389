"""Funding: what of a stream is worth a row, what is an outage, and that every payment is fetched once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ares.clock import HOUR_NS, NANOS_PER_SECOND
from ares.errors import VenueError, VenueUnavailable
from ares.model.market import Entry, Funding
from ares.model.row import Storable
from ares.resilience import Backoff
from ares.testing.clock import SteppedClock
from ingest.desk import Desk
from ingest.feed import Channel, Frame, MarketEvent
from ingest.funding import RATE_AGE_S_MAX, FundingRoom, FundingUpdate
from ingest.settlements import LOOK_S_MAX, UNANNOUNCED_S, FundingKeeper, wait_until_look_s
from ingest.sink import Lane, Sink
from ingest.validation import Limits, funding_fault
from tests.unit.ingest.test_collecting import Memory

T0 = 1_700_000_000 * NANOS_PER_SECOND
PAYS_AT = T0 + 8 * HOUR_NS
PERPETUAL = "BTC/USDT:USDT"
LIMITS = Limits(60.0, 10.0)


def told(second: float, rate: float = 0.0001, **changes: object) -> FundingUpdate:
    moment_ns = T0 + round(second * NANOS_PER_SECOND)
    update = FundingUpdate(
        venue="x",
        symbol=PERPETUAL,
        ts_ns=moment_ns,
        received_at_ns=moment_ns + 1_000,
        rate=rate,
        funding_at_ns=PAYS_AT,
        mark_price=100.0 + second,
        index_price=99.0,
    )
    return replace(update, **changes)


def mark(second: float) -> FundingUpdate:
    return told(second, rate=None, funding_at_ns=None, index_price=None, confirms_rate=False)  # type: ignore[arg-type]


def written(room: FundingRoom, updates: Sequence[FundingUpdate]) -> list[Funding]:
    """The predictions that are worth a row."""
    return [
        funding
        for update in updates
        if room.take(update) is None and (funding := room.whole(update.symbol)) and room.is_due(funding)
    ]


def test_an_unchanged_rate_is_written_once_a_minute_and_a_changed_one_at_once() -> None:
    steady = written(FundingRoom(), [told(second) for second in range(180)])
    assert [row.ts_ns - T0 for row in steady] == [0, 60 * NANOS_PER_SECOND, 120 * NANOS_PER_SECOND]
    changing = written(FundingRoom(), [told(second, rate=0.0001 if second < 10 else 0.0002) for second in range(30)])
    assert [(row.ts_ns - T0) // NANOS_PER_SECOND for row in changing] == [0, 10]


def test_a_change_that_came_too_soon_is_written_with_the_next_message() -> None:
    rows = written(FundingRoom(), [told(0), told(0.5, 0.0002), told(0.9, 0.0003), told(1.1, 0.0003), told(1.5, 0.0003)])
    assert [row.rate for row in rows] == [0.0001, 0.0003]


@given(rates=st.lists(st.sampled_from([0.0001, 0.0002, -0.0003]), min_size=1, max_size=60), gap_s=st.floats(0.05, 40))
def test_rows_are_bounded_and_the_last_word_is_never_withheld_for_long(rates: list[float], gap_s: float) -> None:
    updates = [told(place * gap_s, rate) for place, rate in enumerate(rates)]
    room = FundingRoom()
    rows = written(room, updates)
    assert rows[0].rate == rates[0]
    assert all(b.received_at_ns - a.received_at_ns >= NANOS_PER_SECOND for a, b in pairwise(rows))
    settled = written(room, [told(len(rates) * gap_s + 1.1, rates[-1])])
    assert (settled or rows)[-1].rate == rates[-1]


def test_parts_that_come_on_streams_of_their_own_make_one_prediction() -> None:
    room = FundingRoom()
    assert written(room, [mark(0)]) == []
    (row,) = written(room, [told(1, mark_price=None, index_price=None)])
    assert (row.rate, row.mark_price, row.index_price, row.funding_at_ns) == (0.0001, 100.0, None, PAYS_AT)
    (row,) = written(room, [mark(62)])
    assert (row.rate, row.mark_price, row.ts_ns) == (0.0001, 162.0, T0 + 62 * NANOS_PER_SECOND)


def test_a_rate_that_nothing_confirms_is_not_repeated_for_ever() -> None:
    room = FundingRoom()
    rows = written(room, [told(0), *[mark(second) for second in range(1, 1_000)]])
    assert (rows[-1].ts_ns - T0) / NANOS_PER_SECOND <= RATE_AGE_S_MAX
    assert room.whole(PERPETUAL) is None
    assert room.take(replace(told(0), rate=0.1)) is None


@dataclass
class Spoken:
    """A feed whose frames are updates already."""

    renewed: list[Channel] = field(default_factory=list)

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        assert isinstance(frame.payload, FundingUpdate)
        return (frame.payload,)

    def renew(self, channel: Channel) -> None:
        self.renewed.append(channel)


@dataclass
class Talk:
    """A desk that hears updates, and what it writes."""

    clock: SteppedClock = field(default_factory=lambda: SteppedClock(T0))
    feed: Spoken = field(default_factory=Spoken)
    desk: Desk = field(init=False)

    def __post_init__(self) -> None:
        self.desk = Desk("x", (PERPETUAL,), LIMITS, self.clock)

    def hear(self, *updates: FundingUpdate) -> list[Storable]:
        frames = [Frame("funding", update, update.received_at_ns) for update in updates]
        return list(self.desk.rows_of(self.feed, frames))  # type: ignore[arg-type]


def kinds(rows: Sequence[Entry]) -> list[str]:
    return [f"{row.table} {row.symbols.get('status', '')}".strip() for row in rows]  # type: ignore[union-attr]


def test_an_outage_of_the_stream_is_a_gap_until_the_rate_is_told_again() -> None:
    talk = Talk()
    assert kinds(talk.hear(told(0), told(1))) == ["funding"]
    (opened,) = talk.desk.interrupted("funding", "disconnect")
    assert (opened.symbols["channel"], opened.symbols["cause"]) == ("funding", "disconnect")
    assert opened.columns["started_at"] == T0 + NANOS_PER_SECOND, "the last message, though it was worth no row"
    assert talk.hear(mark(5)) == []
    assert kinds(talk.hear(told(6))) == ["funding", "gaps lost"]


def test_a_rates_stream_that_falls_silent_beside_prices_is_an_outage_and_the_line_is_renewed() -> None:
    talk = Talk()
    rows = talk.hear(told(0), *[mark(second) for second in range(1, 400)])
    assert kinds(rows)[-1] == "gaps open"
    assert talk.feed.renewed == ["funding"]


def test_a_rate_that_is_never_told_beside_prices_renews_the_line_again_and_again() -> None:
    talk = Talk()
    assert talk.hear(*[mark(second) for second in range(round(RATE_AGE_S_MAX))]) == []
    assert talk.feed.renewed == []
    assert talk.hear(*[mark(second) for second in range(300, 900)]) == [], "an outage of what never came has no start"
    assert talk.feed.renewed == ["funding", "funding"]


def test_a_rate_that_stays_away_after_an_outage_renews_the_line_and_the_gap_stays_one() -> None:
    talk = Talk(SteppedClock(T0 + 400 * NANOS_PER_SECOND))
    talk.hear(told(0))
    talk.desk.interrupted("funding", "disconnect")
    assert talk.hear(*[mark(second) for second in range(1, 400)]) == []
    assert talk.feed.renewed == ["funding"]
    assert kinds(talk.hear(told(400))) == ["funding", "gaps lost"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"rate": 1.5}, "rate"),
        ({"rate": float("nan")}, "rate"),
        ({"funding_at_ns": T0 + 400 * 24 * HOUR_NS}, "funding_at"),
        ({"mark_price": 0.0}, "mark_price"),
        ({"index_price": float("inf")}, "index_price"),
        ({"ts_ns": T0 + HOUR_NS}, "ts"),
    ],
)
def test_what_nobody_can_pay_is_refused_by_name(change: dict[str, object], named: str) -> None:
    rows = Talk().hear(told(0, **change))  # type: ignore[arg-type]
    assert [(row.table, row.symbols["field"]) for row in rows] == [("quarantine", named)]


def paid(hour: float, rate: float = 0.0001) -> Funding:
    ts_ns = T0 + round(hour * HOUR_NS)
    return Funding("x", PERPETUAL, "settled", rate, None, None, ts_ns, ts_ns, ts_ns)


@dataclass
class Payments:
    """A venue's list of payments, each listed some time after its moment."""

    payments: list[Funding]
    clock: SteppedClock
    listed_after_s: float = 0.0
    troubles: list[VenueError] = field(default_factory=list)
    asked: int = 0

    async def funding(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Funding]:
        self.asked += 1
        if self.troubles:
            raise self.troubles.pop(0)
        known_ns = self.clock.now_ns() - round(self.listed_after_s * NANOS_PER_SECOND)
        return [f for f in self.payments if symbol == f.symbol and start_ns <= f.ts_ns < min(end_ns, known_ns)]


def keeper_of(payments: Payments, room: FundingRoom) -> tuple[FundingKeeper, Memory, Sink]:
    memory = Memory()
    backoff = Backoff(0.001, 0.002, random.Random(1))
    lane = Sink(Lane("past", "x", 10_000, 1_000, 0.001), memory, payments.clock, backoff)
    return FundingKeeper("x", payments, lane, room, payments.clock), memory, lane


async def until(clock: SteppedClock, step_s: float, reached: Callable[[], bool]) -> None:
    for _ in range(4_000):
        if reached():
            return
        await clock.advance(step_s)
    raise AssertionError("not reached")


async def test_what_is_stored_is_asked_for_again_and_left_as_it_is() -> None:
    clock = SteppedClock(T0 + 24 * HOUR_NS)
    payments = Payments([paid(hour) for hour in (0, 8, 16)], clock)
    keeper, _, lane = keeper_of(payments, FundingRoom())
    keeper.stored[PERPETUAL] = {paid(8).ts_ns}
    assert await keeper.backfill(PERPETUAL, T0, Backoff(0.001, 0.002, random.Random(1))) == 2
    assert await keeper.backfill(PERPETUAL, T0, Backoff(0.001, 0.002, random.Random(1))) == 0
    assert lane.depth == 2


async def test_a_payment_that_makes_no_sense_is_kept_apart() -> None:
    clock = SteppedClock(T0 + 24 * HOUR_NS)
    keeper, memory, lane = keeper_of(Payments([paid(0, rate=7.0), paid(8)], clock), FundingRoom())
    await keeper.backfill(PERPETUAL, T0, Backoff(0.001, 0.002, random.Random(1)))
    task = asyncio.create_task(lane.run())
    await until(clock, 0.01, lambda: len(memory.rows) == 2)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert sorted(row.table for row in memory.rows) == ["funding", "quarantine"]


async def test_a_payment_is_fetched_after_its_moment_though_the_venue_lists_it_late_and_fails_once() -> None:
    clock = SteppedClock(T0)
    payments = Payments([paid(8), paid(16)], clock, listed_after_s=70.0, troubles=[VenueUnavailable("x")])
    room = FundingRoom()
    room.take(told(0))
    keeper, _, lane = keeper_of(payments, room)
    task = asyncio.create_task(keeper.refresh(PERPETUAL, Backoff(0.001, 0.002, random.Random(1))))
    await until(clock, 10.0, lambda: lane.depth == 1)
    late_s = (clock.now_ns() - paid(8).ts_ns) / NANOS_PER_SECOND
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert 70.0 <= late_s <= 120.0
    assert payments.asked < 20


def test_the_next_look_is_at_the_payment_and_never_too_far_or_too_soon() -> None:
    assert wait_until_look_s(T0 + 60 * NANOS_PER_SECOND, T0) == 65.0
    assert wait_until_look_s(PAYS_AT, T0) == LOOK_S_MAX
    assert wait_until_look_s(None, T0) == wait_until_look_s(T0 - 1, T0) == UNANNOUNCED_S


def test_a_sound_payment_has_no_fault() -> None:
    assert funding_fault(paid(8, rate=-0.02)) is None
