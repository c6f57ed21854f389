"""Goal: whatever drops and however often, a venue never sees more connections in a minute than it is promised."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ingest.venues.budget import JITTER_S_MAX, WINDOW_S, ConnectBudget, Pacer


@dataclass
class SteppedClock:
    """Time that passes only in sleeps."""

    now_s: float = 0.0
    waits: list[float] = field(default_factory=list)

    def now_ns(self) -> int:
        return round(self.now_s * 1e9)

    def monotonic_s(self) -> float:
        return self.now_s

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now_s += seconds


@given(lives_s=st.lists(st.floats(0, 30), min_size=1, max_size=80), per_minute=st.integers(1, 10))
def test_no_minute_sees_more_connections_than_allowed(lives_s: list[float], per_minute: int) -> None:
    clock = SteppedClock()
    budget = ConnectBudget("v", per_minute, clock)
    made: list[float] = []
    for life_s in lives_s:
        asyncio.run(budget.spend())
        made.append(clock.now_s)
        clock.now_s += life_s
    for first, last in zip(made, made[per_minute:], strict=False):
        assert last - first >= WINDOW_S - 1e-6


async def test_channels_that_come_together_wait_in_turn() -> None:
    clock = SteppedClock()
    budget = ConnectBudget("v", 2, clock)
    await budget.spend()
    await budget.spend()
    assert clock.waits == []
    await budget.spend()
    await budget.spend()
    assert len(clock.waits) == 1
    assert WINDOW_S <= clock.now_s <= WINDOW_S + JITTER_S_MAX


class Crowd(SteppedClock):
    """Time for many at once: it passes when all of them sleep."""

    async def sleep(self, seconds: float) -> None:
        due_s = self.now_s + seconds
        self.waits.append(due_s)
        while self.now_s < due_s:
            await asyncio.sleep(0)
            self.now_s = max(self.now_s, min(self.waits))
        self.waits.remove(due_s)


@given(
    channels=st.integers(1, 12),
    per_minute=st.integers(1, 5),
    holds=st.dictionaries(st.integers(0, 20), st.floats(0.1, 300), max_size=4),
)
def test_no_storm_of_disconnects_of_many_channels_exceeds_the_budget_whenever_the_venue_says_wait(
    channels: int, per_minute: int, holds: dict[int, float]
) -> None:
    clock = Crowd()
    budget = ConnectBudget("v", per_minute, clock)
    made: list[float] = []
    held_until_s = 0.0

    async def channel() -> None:
        nonlocal held_until_s
        for _ in range(3):
            await budget.spend()
            assert clock.now_s >= held_until_s - 1e-6
            made.append(clock.now_s)
            if (wait_s := holds.get(len(made))) is not None:
                budget.hold(wait_s)
                held_until_s = max(held_until_s, clock.now_s + wait_s)

    async def storm() -> None:
        await asyncio.gather(*(channel() for _ in range(channels)))

    asyncio.run(storm())
    assert len(made) == 3 * channels
    made.sort()
    for first, last in zip(made, made[per_minute:], strict=False):
        assert last - first >= WINDOW_S - 1e-6


@given(pauses_s=st.lists(st.floats(0, 5), min_size=1, max_size=60), per_minute=st.integers(1, 600))
def test_paced_questions_are_evenly_apart(pauses_s: list[float], per_minute: int) -> None:
    clock = SteppedClock()
    pacer = Pacer(per_minute, clock)
    asked: list[float] = []
    for pause_s in pauses_s:
        asyncio.run(pacer.turn())
        asked.append(clock.now_s)
        clock.now_s += pause_s
    assert all(later - sooner >= 60 / per_minute - 1e-6 for sooner, later in itertools.pairwise(asked))
