"""Goal: a venue is never asked for more than it allows, looks wait before orders do, and the way out stays open."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.clock import NANOS_PER_SECOND
from ares.errors import VenueUnavailable
from ares.resilience import Rate, RateBudget, Use
from ares.testing.clock import SteppedClock

MINUTE = Rate("weight", 60)
TEN_S = Rate("orders", 10)
START_NS = 1_700_000_000 * NANOS_PER_SECOND // (86_400 * NANOS_PER_SECOND) * 86_400 * NANOS_PER_SECOND
LOOK = {"weight": 10}


def budget(clock: SteppedClock, weight: int = 100, orders: int = 10) -> RateBudget:
    return RateBudget("venue", clock, {MINUTE: weight, TEN_S: orders})


def spend(rates: RateBudget, weight: int, told: int | None = None) -> None:
    with rates.spending({"weight": weight}) as call:
        call.told = None if told is None else {MINUTE: told}


def used(rates: RateBudget, rate: Rate = MINUTE) -> int:
    return next(count for one, count, _ in rates.used() if one == rate)


def test_what_the_venue_tells_counts_others_behind_our_address() -> None:
    rates = budget(SteppedClock(START_NS))
    spend(rates, 10, told=75)
    assert rates.refusal(Use.READ, LOOK) is not None
    assert rates.refusal(Use.OPEN, LOOK) is None
    spend(rates, 10, told=85)
    assert rates.refusal(Use.OPEN, LOOK) is not None
    assert rates.refusal(Use.CLOSE, LOOK) is None, "the way out is kept"


async def test_look_waits_for_the_venue_to_count_anew() -> None:
    clock = SteppedClock(START_NS)
    rates = budget(clock)
    await clock.advance(20)
    spend(rates, 80)
    waiting = asyncio.create_task(rates.turn({"weight": 10}, 61))
    await clock.advance(39)
    assert not waiting.done()
    await clock.advance(2)
    await waiting


async def test_look_that_would_wait_too_long_says_when_to_come_back() -> None:
    rates = budget(SteppedClock(START_NS))
    rates.hold(900)
    with pytest.raises(VenueUnavailable, match=r"venue asks for no calls for 900\.0 s") as caught:
        await rates.turn({"weight": 1}, 61)
    assert caught.value.retry_after_s == 900


@pytest.mark.parametrize("use", list(Use))
async def test_nothing_leaves_while_the_venue_asks_to_wait(use: Use) -> None:
    clock = SteppedClock(START_NS)
    rates = budget(clock)
    rates.hold(30)
    rates.hold(5)
    await clock.advance(29)
    assert rates.refusal(use, {"weight": 1}) == "venue asks for no calls for 1.0 s"
    await clock.advance(1)
    assert rates.refusal(use, {"weight": 1}) is None


async def test_count_that_was_told_of_the_last_minute_counts_for_nothing() -> None:
    clock = SteppedClock(START_NS)
    rates = budget(clock)
    await clock.advance(59)
    with rates.spending({"weight": 10}) as call:
        await clock.advance(2)
        call.told = {MINUTE: 99}
    assert used(rates) == 0


def test_call_that_fails_counts_too() -> None:
    rates = budget(SteppedClock(START_NS))
    with pytest.raises(KeyError), rates.spending({"weight": 10}):
        raise KeyError("no answer")
    assert used(rates) == 10


def test_limit_that_the_venue_changed_holds_at_once() -> None:
    rates = budget(SteppedClock(START_NS))
    spend(rates, 10)
    rates.learn({MINUTE: 12})
    assert rates.refusal(Use.CLOSE, LOOK) is not None


def test_call_that_costs_more_than_its_share_is_made_when_nothing_else_is() -> None:
    rates = budget(SteppedClock(START_NS), weight=10)
    assert rates.refusal(Use.READ, LOOK) is None


CALLS = st.lists(
    st.tuples(st.sampled_from(list(Use)), st.integers(1, 30), st.floats(0, 40), st.booleans()), min_size=1, max_size=80
)


@given(CALLS, st.integers(30, 200), st.integers(1, 20))
def test_no_interval_sees_more_than_its_limit_and_each_use_stays_within_its_share(
    calls: list[tuple[Use, int, float, bool]], weight: int, orders: int
) -> None:
    asyncio.run(asked(calls, weight, orders))


async def asked(calls: list[tuple[Use, int, float, bool]], weight: int, orders: int) -> None:
    """Beside a venue that counts what reaches it; some calls are still on their way when others leave."""
    clock = SteppedClock(START_NS)
    rates = budget(clock, weight, orders)
    counted: dict[tuple[Rate, int], int] = {}
    with ExitStack() as under_way:
        for use, price, wait_s, slow in calls:
            await clock.advance(wait_s)
            cost = {"weight": price, "orders": int(use is not Use.READ)}
            if rates.refusal(use, cost) is not None:
                assert used(rates) or used(rates, TEN_S), "what is unused refuses nothing"
                continue
            for rate, limit in ((MINUTE, weight), (TEN_S, orders)):
                key = (rate, clock.now_ns() // (rate.interval_s * NANOS_PER_SECOND))
                before = counted.get(key, 0)
                counted[key] = before + cost[rate.kind]
                share = {Use.READ: 0.8, Use.OPEN: 0.9, Use.CLOSE: 1.0}[use]
                if cost[rate.kind] and before:
                    assert counted[key] <= limit * share
            if slow:
                under_way.enter_context(rates.spending(cost))
            else:
                with rates.spending(cost):
                    await clock.advance(0.001)
