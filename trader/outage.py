"""Whether something that trading needs is away, since when and why."""

from __future__ import annotations

from ares.clock import Clock


class Outage:
    """Told by whoever asks the thing; silent until somebody was refused."""

    def __init__(self, what: str, clock: Clock) -> None:
        self.what = what
        self._clock = clock
        self._since_s: float | None = None
        self._cause = ""

    def well(self) -> None:
        """It answered."""
        self._since_s = None

    def away(self, cause: str) -> None:
        """It did not, and why."""
        if self._since_s is None:
            self._since_s = self._clock.monotonic_s()
        self._cause = cause

    def beyond(self, grace_s: float) -> str | None:
        """What to say of it if it is away for longer than `grace_s`, else None."""
        if self._since_s is None or self._clock.monotonic_s() - self._since_s <= grace_s:
            return None
        return f"{self.what} is away for more than {grace_s:g} s: {self._cause}"
