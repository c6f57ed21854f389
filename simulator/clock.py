"""Market time: now, or a stretch of the past played faster."""

from __future__ import annotations

from ares.clock import NANOS_PER_MILLI, Clock, isoformat
from ares.errors import ConfigError

MILLIS_PER_SECOND = 1_000
WAIT_S_MIN = 0.001


class MarketClock:
    """Milliseconds of market time. Without `start_ns` it is the wall clock; with it, time runs from there `speed` times
    as fast as the wall clock and never passes it.

    Raises `ConfigError` for a replay that would not lie in the past.
    """

    def __init__(self, clock: Clock, speed: float = 1.0, start_ns: int | None = None) -> None:
        if not speed > 0 or speed == float("inf"):
            raise ConfigError("--speed", speed, "not a positive number", "Give how many times faster to play, like 60")
        if start_ns is None and speed != 1:
            raise ConfigError("--speed", speed, "the live market runs at 1", "Give --start, a moment in the past, too")
        if start_ns is not None and start_ns >= clock.now_ns():
            raise ConfigError("--start", isoformat(start_ns), "lies in the future", "A replay plays the past only")
        self._clock = clock
        self._speed = speed
        self._start_ns = start_ns
        self._wall_start_ns = clock.now_ns()

    def now_ms(self) -> int:
        """Market time; never later than the wall clock."""
        wall_ns = self._clock.now_ns()
        if self._start_ns is None:
            return wall_ns // NANOS_PER_MILLI
        return min(wall_ns, self._played_ns(wall_ns)) // NANOS_PER_MILLI

    def ended(self) -> bool:
        """Whether a replay has reached the present, beyond which it cannot go."""
        if self._start_ns is None:
            return False
        wall_ns = self._clock.now_ns()
        return self._played_ns(wall_ns) >= wall_ns

    async def wait_until(self, market_ms: int) -> None:
        """Sleep until market time is (about) `market_ms`; at least a millisecond."""
        wait_s = (market_ms - self.now_ms()) / MILLIS_PER_SECOND / self._speed
        await self._clock.sleep(max(WAIT_S_MIN, wait_s))

    def _played_ns(self, wall_ns: int) -> int:
        assert self._start_ns is not None
        return self._start_ns + round((wall_ns - self._wall_start_ns) * self._speed)
