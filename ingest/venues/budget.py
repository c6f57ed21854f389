"""How often a venue is connected to: venues ban addresses that come back too often, whichever channel it is for."""

from __future__ import annotations

from collections import deque

from ares.clock import Clock
from ares.telemetry import get_logger

log = get_logger(__name__)

WINDOW_S = 60.0


class ConnectBudget:
    """At most `per_minute` connections in any minute, shared by all channels of a venue; first come, first served.

    Backoff alone does not bound them: it begins anew with the first frame, and a line that drops after each one would
    be dialled without end.
    """

    def __init__(self, venue: str, per_minute: int, clock: Clock) -> None:
        self._venue = venue
        self._per_minute = per_minute
        self._clock = clock
        self._spent_s: deque[float] = deque()

    async def spend(self) -> None:
        """Return once one more connection may be made; it counts from then on."""
        now_s = self._clock.monotonic_s()
        while self._spent_s and self._spent_s[0] <= now_s - WINDOW_S:
            self._spent_s.popleft()
        due_s = now_s
        if len(self._spent_s) >= self._per_minute:
            due_s = self._spent_s[-self._per_minute] + WINDOW_S
        self._spent_s.append(due_s)
        if due_s > now_s:
            log.warning("connection_waits", venue=self._venue, wait_s=round(due_s - now_s, 1))
            await self._clock.sleep(due_s - now_s)
