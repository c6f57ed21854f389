"""A clock that moves only when told."""

from __future__ import annotations

import asyncio
import heapq
from itertools import count

from ares.clock import NANOS_PER_SECOND


class SteppedClock:
    """`Clock` for tests: time stands still until `advance`, which wakes the sleepers that are due, in order.

    >>> clock = SteppedClock(start_ns=0)
    >>> await clock.advance(1.5)
    >>> clock.now_ns()
    1500000000
    """

    def __init__(self, start_ns: int = 1_700_000_000 * NANOS_PER_SECOND) -> None:
        self._now_ns = start_ns
        self._start_ns = start_ns
        self._order = count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ns(self) -> int:
        return self._now_ns

    def monotonic_s(self) -> float:
        return (self._now_ns - self._start_ns) / NANOS_PER_SECOND

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        due_ns = self._now_ns + round(seconds * NANOS_PER_SECOND)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (due_ns, next(self._order), woken))
        await woken

    @property
    def is_awaited(self) -> bool:
        """Whether somebody sleeps on this clock: if not, letting time pass helps nobody."""
        return any(not woken.done() for _, _, woken in self._sleepers)

    async def advance(self, seconds: float) -> None:
        """Move time forward; each sleeper that falls due runs at its own moment."""
        end_ns = self._now_ns + round(seconds * NANOS_PER_SECOND)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end_ns:
            due_ns, _, woken = heapq.heappop(self._sleepers)
            self._now_ns = due_ns
            if not woken.done():
                woken.set_result(None)
            await _settle()
        self._now_ns = end_ns
        await _settle()


async def _settle() -> None:
    """Let tasks that became ready run; a few turns, since one wakes the next."""
    for _ in range(10):
        await asyncio.sleep(0)
