"""How often a venue is connected to and asked: it bans addresses that come back too often, whatever it is for."""

from __future__ import annotations

import random
from collections import deque

from ares.clock import Clock
from ares.telemetry import get_logger

log = get_logger(__name__)

WINDOW_S = 60.0
JITTER_S_MAX = 1.0
"""Those that waited for the budget do not come back in step with other programs behind the same address."""


class ConnectBudget:
    """At most `per_minute` connections in any minute, shared by all channels of a venue; first come, first served.

    Backoff alone does not bound them: it begins anew with the first frame, and a line that drops after each one would
    be dialled without end. A venue that tells one channel to wait tells it to all of them: `hold`.
    """

    def __init__(self, venue: str, per_minute: int, clock: Clock, rng: random.Random | None = None) -> None:
        self._venue = venue
        self._per_minute = per_minute
        self._clock = clock
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._spent_s: deque[float] = deque()
        self._held_until_s = 0.0

    def hold(self, wait_s: float) -> None:
        """The venue wants no connection before this time has passed; those that wait already wait as long."""
        self._held_until_s = max(self._held_until_s, self._clock.monotonic_s() + wait_s)

    async def spend(self) -> None:
        """Return once one more connection may be made; it counts from then on."""
        due_s = self._booked()
        while (wait_s := due_s - self._clock.monotonic_s()) > 0:
            log.warning("connection_waits", venue=self._venue, wait_s=round(wait_s, 1))
            await self._clock.sleep(wait_s)
            if self._held_until_s > due_s:
                self._spent_s.remove(due_s)
                due_s = self._booked()

    def _booked(self) -> float:
        """The moment of one more connection, never before one that is booked already."""
        now_s = self._clock.monotonic_s()
        while self._spent_s and self._spent_s[0] <= now_s - WINDOW_S:
            self._spent_s.popleft()
        due_s = max(now_s, self._held_until_s, self._spent_s[-1] if self._spent_s else now_s)
        if len(self._spent_s) >= self._per_minute:
            due_s = max(due_s, self._spent_s[-self._per_minute] + WINDOW_S)
        if due_s > now_s:
            due_s += self._rng.uniform(0.0, JITTER_S_MAX)
        self._spent_s.append(due_s)
        return due_s


class Pacer:
    """Evenly spaced turns, `per_minute` of them; first come, first served. For questions that nobody is waiting for."""

    def __init__(self, per_minute: float, clock: Clock) -> None:
        assert per_minute > 0
        self._every_s = WINDOW_S / per_minute
        self._clock = clock
        self._next_s = 0.0

    async def turn(self) -> None:
        """Return when it is ours."""
        now_s = self._clock.monotonic_s()
        due_s = max(now_s, self._next_s)
        self._next_s = due_s + self._every_s
        if due_s > now_s:
            await self._clock.sleep(due_s - now_s)
