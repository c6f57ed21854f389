"""Goal: whatever drops and however often, a venue never sees more connections in a minute than it is promised."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from ingest.venues.budget import WINDOW_S, ConnectBudget


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
    assert clock.waits == [WINDOW_S]
    assert clock.now_s == WINDOW_S
