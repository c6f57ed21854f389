"""What a venue lets one address and one account ask of it, shared by every call to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import VenueUnavailable
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


class Use(StrEnum):
    """What a call is for: a look, an order that opens, and the way out (a cancel, an order that reduces)."""

    READ = "read"
    OPEN = "open"
    CLOSE = "close"


SHARES = {Use.READ: 0.8, Use.OPEN: 0.9, Use.CLOSE: 1.0}
"""Up to which share of a limit each may go: looks wait first, and the way out is never taken by anything else."""

CLOCKS_DIFFER_S = 0.2

Kind = Literal["weight", "orders"]


class Rate(NamedTuple):
    """What is counted, and over how many seconds."""

    kind: Kind
    interval_s: int


@dataclass(slots=True)
class _Window:
    """One rate's count since the venue's count began anew. `told`: by the venue, of everybody behind our address."""

    limit: int
    slot: int = -1
    told: int = 0
    own: int = 0
    flying: int = 0

    @property
    def used(self) -> int:
        return max(self.told, self.own) + self.flying


@dataclass(slots=True)
class Call:
    """One call on its way; `told` is what its answer said of rates, if it came."""

    told: Mapping[Rate, int] | None = None


class RateBudget:
    """Counts by what the venue tells, and between its answers by what left here.

    Counts begin anew at whole intervals of UTC, as Binance's do. A count that was told to a call that left in an
    earlier interval counts for nothing. `hold` is the venue's own wish: no call at all leaves before it has passed.
    """

    def __init__(self, venue: str, clock: Clock, limits: Mapping[Rate, int]) -> None:
        self._venue = venue
        self._clock = clock
        self._windows = {rate: _Window(limit) for rate, limit in limits.items()}
        self._held_until_s = 0.0
        metrics.VENUE_HELD_SECONDS.labels(venue).set_function(lambda: self.held_s)

    @property
    def held_s(self) -> float:
        """Seconds for which the venue wants no call; 0 if it does not mind."""
        return max(0.0, self._held_until_s - self._clock.monotonic_s())

    def learn(self, limits: Mapping[Rate, int]) -> None:
        """Work by these limits; what was counted stays."""
        for rate, limit in limits.items():
            self._windows.setdefault(rate, _Window(limit)).limit = limit

    def hold(self, wait_s: float) -> None:
        """The venue wants no call for so long; a shorter wish than an earlier one changes nothing."""
        if wait_s > self.held_s:
            self._held_until_s = self._clock.monotonic_s() + wait_s
            log.warning("venue_asks_to_wait", venue=self._venue, wait_s=wait_s)

    def used(self) -> Sequence[tuple[Rate, int, int]]:
        """Each rate, what is used of it now, and its limit."""
        return [(rate, self._current(rate).used, window.limit) for rate, window in self._windows.items()]

    def refusal(self, use: Use, cost: Mapping[Kind, int]) -> str | None:
        """Why such a call must not leave now; None if it may."""
        if self.held_s > 0:
            return f"{self._venue} asks for no calls for {self.held_s:.1f} s"
        for rate in self._short(use, cost):
            window = self._windows[rate]
            return (
                f"{window.used} of {window.limit} {rate.kind} in {rate.interval_s} s are used at {self._venue},"
                f" the rest is kept for what matters more"
            )
        return None

    async def turn(self, cost: Mapping[Kind, int], wait_s_max: float) -> None:
        """Return once a look may leave. Raises `VenueUnavailable` if that would take longer than `wait_s_max`."""
        until_s = self._clock.monotonic_s() + wait_s_max
        while (why := self.refusal(Use.READ, cost)) is not None:
            wait_s = self.held_s or self._anew_in_s(self._short(Use.READ, cost))
            metrics.VENUE_RATE_WAITS.labels(self._venue).inc()
            if self._clock.monotonic_s() + wait_s > until_s:
                raise VenueUnavailable(f"not asked: {why}", wait_s)
            log.info("look_waits", venue=self._venue, cause=why, wait_s=round(wait_s, 3))
            await self._clock.sleep(wait_s)

    @contextmanager
    def spending(self, cost: Mapping[Kind, int]) -> Iterator[Call]:
        """Around a call: it counts from its way out on, whatever came of it."""
        left = {rate: self._current(rate).slot for rate in self._windows if cost.get(rate.kind)}
        for rate in left:
            self._windows[rate].flying += cost[rate.kind]
        call = Call()
        try:
            yield call
        finally:
            for rate, slot in left.items():
                window = self._current(rate)
                window.flying -= cost[rate.kind]
                if window.slot == slot:
                    window.own += cost[rate.kind]
            self._hear(call.told or {}, left)
            self._show()

    def _hear(self, told: Mapping[Rate, int], left: Mapping[Rate, int]) -> None:
        for rate, count in told.items():
            if rate in left and self._current(rate).slot == left[rate]:
                self._windows[rate].told = max(self._windows[rate].told, count)

    def _short(self, use: Use, cost: Mapping[Kind, int]) -> list[Rate]:
        """The rates that leave no room. An unused one leaves room for anything: else what costs much never came."""
        found: list[Rate] = []
        for rate in self._windows:
            window, price = self._current(rate), cost.get(rate.kind, 0)
            if price and window.used and window.used + price > window.limit * SHARES[use]:
                found.append(rate)
        return found

    def _current(self, rate: Rate) -> _Window:
        window, slot = self._windows[rate], self._clock.now_ns() // (rate.interval_s * NANOS_PER_SECOND)
        if slot != window.slot:
            window.slot, window.told, window.own = slot, 0, 0
        return window

    def _anew_in_s(self, rates: Sequence[Rate]) -> float:
        """Seconds until the longest of these intervals begins anew, and a little more: clocks differ."""
        now_ns = self._clock.now_ns()
        lengths = [rate.interval_s * NANOS_PER_SECOND for rate in rates]
        return max((length - now_ns % length) / NANOS_PER_SECOND for length in lengths) + CLOCKS_DIFFER_S

    def _show(self) -> None:
        for rate, used, limit in self.used():
            labels = (self._venue, rate.kind, str(rate.interval_s))
            metrics.VENUE_RATE_USED.labels(*labels).set(used)
            metrics.VENUE_RATE_LIMIT.labels(*labels).set(limit)
