"""Goal: market time is now, or the past played faster; it never passes now."""

from __future__ import annotations

import asyncio

import pytest

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND
from ares.errors import ConfigError
from ares.testing.clock import SteppedClock
from simulator.clock import MarketClock
from simulator.commands import parse_start

NOW_NS = 1_800_000_000 * NANOS_PER_SECOND


async def test_live_market_time_is_the_wall_clock() -> None:
    clock = SteppedClock(NOW_NS)
    market = MarketClock(clock)
    await clock.advance(2.5)
    assert market.now_ms() == clock.now_ns() // NANOS_PER_MILLI
    assert not market.ended()


async def test_replay_runs_faster_and_ends_at_the_present() -> None:
    clock = SteppedClock(NOW_NS)
    market = MarketClock(clock, speed=10, start_ns=NOW_NS - 90 * NANOS_PER_SECOND)
    await clock.advance(5)
    assert market.now_ms() == (NOW_NS - 40 * NANOS_PER_SECOND) // NANOS_PER_MILLI
    assert not market.ended()
    await clock.advance(6)
    assert market.ended()
    assert market.now_ms() == clock.now_ns() // NANOS_PER_MILLI


async def test_waiting_counts_in_market_time() -> None:
    clock = SteppedClock(NOW_NS)
    market = MarketClock(clock, speed=10, start_ns=NOW_NS - 1_000 * NANOS_PER_SECOND)
    waiting = asyncio.create_task(market.wait_until(market.now_ms() + 20_000))
    await clock.advance(1.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert waiting.done()


@pytest.mark.parametrize(
    ("speed", "start_ns", "problem"),
    [
        (0, None, "not a positive number"),
        (-1, 1, "not a positive number"),
        (float("nan"), 1, "not a positive number"),
        (float("inf"), 1, "not a positive number"),
        (2, None, "the live market runs at 1"),
        (2, NOW_NS, "lies in the future"),
    ],
)
def test_replay_that_would_not_lie_in_the_past_is_refused(speed: float, start_ns: int | None, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        MarketClock(SteppedClock(NOW_NS), speed, start_ns)


@pytest.mark.parametrize(
    ("text", "seconds_ago"), [("-90s", 90), ("-30m", 1_800), ("-6h", 21_600), ("-2d", 172_800), ("-0.5h", 1_800)]
)
def test_start_may_be_so_long_ago(text: str, seconds_ago: int) -> None:
    assert parse_start(text, NOW_NS) == NOW_NS - seconds_ago * NANOS_PER_SECOND


@pytest.mark.parametrize("text", ["2027-01-15T08:00", "2027-01-15T08:00+00:00", "2027-01-15T10:00+02:00"])
def test_start_may_be_a_moment(text: str) -> None:
    assert parse_start(text, 0) == NOW_NS


@pytest.mark.parametrize("text", ["yesterday", "-5x", "-", "", "-infd", "12"])
def test_start_that_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--start"):
        parse_start(text, NOW_NS)
