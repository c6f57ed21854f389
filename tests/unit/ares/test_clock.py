"""Goal: time is UTC, exact to the nanosecond where we keep it so, and stands still for tests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from ares.clock import SystemClock, floor_ns, isoformat, to_datetime, to_ns
from ares.testing.clock import SteppedClock


@given(st.integers(min_value=0, max_value=4_000_000_000_000_000_000))
def test_nanoseconds_survive_a_datetime_to_the_microsecond(ns: int) -> None:
    assert to_ns(to_datetime(ns)) == ns // 1_000 * 1_000


def test_naive_datetime_is_utc_and_an_aware_one_is_converted() -> None:
    noon = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - QuestDB's drivers hand out naive UTC
    in_tokyo = datetime(2026, 1, 1, 21, tzinfo=timezone(timedelta(hours=9)))
    assert to_ns(noon) == to_ns(in_tokyo) == to_ns(noon.replace(tzinfo=UTC))


def test_isoformat_keeps_all_nine_digits() -> None:
    assert isoformat(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"


@given(st.integers(min_value=0, max_value=2**62), st.integers(min_value=1, max_value=10**12))
def test_floor_is_the_last_step_not_after(ns: int, step: int) -> None:
    floor = floor_ns(ns, step)
    assert floor <= ns < floor + step
    assert floor % step == 0


async def test_stepped_clock_wakes_sleepers_in_order_at_their_own_moment() -> None:
    clock = SteppedClock(start_ns=0)
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((name, clock.monotonic_s()))

    tasks = [asyncio.create_task(sleeper("late", 2.0)), asyncio.create_task(sleeper("early", 1.0))]
    await clock.advance(1.5)
    assert woken == [("early", 1.0)]
    await clock.advance(1.0)
    assert woken == [("early", 1.0), ("late", 2.0)]
    await asyncio.gather(*tasks)
    await clock.sleep(0)


async def test_stepped_clock_skips_a_sleeper_that_was_cancelled() -> None:
    clock = SteppedClock()
    task = asyncio.create_task(clock.sleep(1))
    await asyncio.sleep(0)
    task.cancel()
    await clock.advance(2)
    assert task.cancelled()


async def test_system_clock_moves_forward() -> None:
    clock = SystemClock()
    before_ns, before_s = clock.now_ns(), clock.monotonic_s()
    await clock.sleep(0.002)
    assert clock.now_ns() > before_ns
    assert clock.monotonic_s() > before_s
