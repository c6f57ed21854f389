"""Guards calls that leave the process."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ares.clock import Clock
from ares.errors import AresError, VenueUnavailable
from ares.resilience.backoff import Backoff
from ares.resilience.breaker import Breaker, BreakerState
from ares.telemetry import get_logger, metrics, observability

T = TypeVar("T")

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class GuardPolicy:
    """Bounds of a guarded call.

    >>> GuardPolicy(deadline_s=5, attempts_max=3)   # three tries of five seconds for what may be repeated
    """

    deadline_s: float = 10.0
    attempts_max: int = 3
    backoff_s_min: float = 0.2
    backoff_s_max: float = 5.0
    failures_to_open: int = 5
    open_s: float = 10.0


class Guard:
    """One guard per remote party; all calls to it go through `call`."""

    def __init__(self, name: str, clock: Clock, policy: GuardPolicy, rng: random.Random | None = None) -> None:
        self.name = name
        self._clock = clock
        self._policy = policy
        self._rng = rng or random.Random()  # noqa: S311 - jitter, not a secret
        self._breaker = breaker = Breaker(clock, policy.failures_to_open, policy.open_s)
        for state in BreakerState:
            metrics.BREAKER_STATE.labels(name, state.value).set_function(partial(_holds, breaker, state))
        metrics.BREAKER_PROBE_SECONDS.labels(name).set_function(lambda: breaker.probe_in_s)

    async def call(self, operation: str, action: Callable[[], Awaitable[T]], *, idempotent: bool) -> T:
        """Run `action` within the deadline; repeat it only if it is idempotent and failed with `VenueUnavailable`.

        Raises `VenueUnavailable` when the breaker is open or another call probes, the deadline passed or all attempts
        failed; every other error of `action` comes through unchanged. A deadline that cuts a call off says nothing
        about its effect.
        """
        attempts = self._policy.attempts_max if idempotent else 1
        backoff = Backoff(self._policy.backoff_s_min, self._policy.backoff_s_max, self._rng)
        for attempt in range(1, attempts + 1):
            try:
                return await self._once(operation, action)
            except VenueUnavailable as error:
                if attempt == attempts:
                    raise
                wait_s = max(backoff.next_wait_s(), error.retry_after_s or 0.0)
                log.warning("call_retried", guard=self.name, operation=operation, attempt=attempt, wait_s=wait_s)
                await self._clock.sleep(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _once(self, operation: str, action: Callable[[], Awaitable[T]]) -> T:
        place = self._breaker.enter()
        if place is None:
            self._count(operation, "refused")
            raise VenueUnavailable(self._why_refused())
        try:
            return await self._tried(operation, action, place)
        finally:
            self._breaker.leave(place)

    async def _tried(self, operation: str, action: Callable[[], Awaitable[T]], place: int) -> T:
        started_s = self._clock.monotonic_s()
        try:
            with observability.track("external.call", guard=self.name, operation=operation):
                async with asyncio.timeout(self._policy.deadline_s):
                    result = await action()
        except TimeoutError:
            self._failed(operation, "timeout", place)
            raise VenueUnavailable(f"{self.name}: no answer to {operation} in {self._policy.deadline_s} s") from None
        except VenueUnavailable as error:
            self._failed(operation, error.code, place)
            raise
        except AresError as error:
            self._breaker.succeeded(place)
            self._count(operation, error.code)
            raise
        self._breaker.succeeded(place)
        self._count(operation, "ok")
        elapsed_s = self._clock.monotonic_s() - started_s
        metrics.EXTERNAL_CALL_SECONDS.labels(self.name, operation).observe(elapsed_s)
        return result

    def _why_refused(self) -> str:
        if self._breaker.state is BreakerState.HALF_OPEN:
            return f"{self.name}: not called, it failed and another call probes it now"
        failures, wait_s = self._policy.failures_to_open, self._breaker.probe_in_s
        return f"{self.name}: not called, it failed {failures} times in a row; probed again in {wait_s:.1f} s"

    def _failed(self, operation: str, outcome: str, place: int) -> None:
        self._breaker.failed(place)
        self._count(operation, outcome)

    def _count(self, operation: str, outcome: str) -> None:
        metrics.EXTERNAL_CALLS.labels(self.name, operation, outcome).inc()


def _holds(breaker: Breaker, state: BreakerState) -> float:
    return float(breaker.state is state)
