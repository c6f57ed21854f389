"""The circuit breaker of a guard."""

from __future__ import annotations

from enum import StrEnum

from ares.clock import Clock


class BreakerState(StrEnum):
    """Names follow Nygard, "Release It!"."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after `failures_to_open` failures in a row; after `open_s` one call at a time may probe.

    A call asks `enter` for its place, tells what came with it, and gives it back by `leave` whatever came. Only calls
    that entered since the breaker last changed tell anything: one that left before and failed late opens nothing anew,
    and its success closes nothing.
    """

    def __init__(self, clock: Clock, failures_to_open: int, open_s: float) -> None:
        self._clock = clock
        self._failures_to_open = failures_to_open
        self._open_s = open_s
        self._failures = 0
        self._opened_at_s: float | None = None
        self._epoch = 0
        self._probe: int | None = None

    @property
    def state(self) -> BreakerState:
        """Becomes half-open by itself when the time for a probe has come."""
        if self._opened_at_s is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.probe_in_s > 0 else BreakerState.HALF_OPEN

    @property
    def probe_in_s(self) -> float:
        """Seconds until a call may probe; 0 when one may now, or needs not."""
        if self._opened_at_s is None:
            return 0.0
        return max(0.0, self._opened_at_s + self._open_s - self._clock.monotonic_s())

    def enter(self) -> int | None:
        """A place for one call; None where it must not be made."""
        state = self.state
        if state is BreakerState.CLOSED:
            return self._epoch
        if state is BreakerState.OPEN or self._probe is not None:
            return None
        self._epoch += 1
        self._probe = self._epoch
        return self._epoch

    def succeeded(self, place: int) -> None:
        """The party answered."""
        if place != self._epoch:
            return
        self._failures = 0
        if self._opened_at_s is not None:
            self._opened_at_s = self._probe = None

    def failed(self, place: int) -> None:
        """It did not, or said "later"."""
        if place != self._epoch:
            return
        self._failures += 1
        if self._probe is not None or self._failures >= self._failures_to_open:
            self._opened_at_s = self._clock.monotonic_s()
            self._epoch += 1
            self._probe = None

    def leave(self, place: int) -> None:
        """The call is over; a probe that told nothing (it was cancelled) makes room for the next."""
        if self._probe == place:
            self._probe = None
