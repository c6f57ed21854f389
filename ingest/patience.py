"""Asking a venue again while it does not answer, for work that somebody waits for: with an end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ares.clock import Clock
from ares.errors import VenueUnavailable
from ares.resilience import Backoff
from ares.telemetry import get_logger
from ingest.history import wait_of

T = TypeVar("T")

log = get_logger(__name__)

FAILURES_MAX = 8
"""So many answers in a row may fail; with the usual backoff that is a minute."""


@dataclass(slots=True)
class Patience:
    """Repeats questions, each wait as long as the venue wishes or our own backoff."""

    clock: Clock
    backoff: Backoff

    async def ask(self, question: Callable[[], Awaitable[T]]) -> T:
        """The answer. Raises `VenueUnavailable` once the venue failed `FAILURES_MAX` times in a row."""
        for failures in range(1, FAILURES_MAX + 1):
            try:
                answer = await question()
            except VenueUnavailable as error:
                if failures == FAILURES_MAX:
                    raise VenueUnavailable(
                        f"no answer {failures} times in a row, at last: {error}. What was fetched is stored; "
                        "the same command goes on from there"
                    ) from None
                wait_s = wait_of(error, self.backoff)
                log.warning("past_waits", cause=str(error), wait_s=wait_s)
                await self.clock.sleep(wait_s)
            else:
                self.backoff.reset()
                return answer
        raise AssertionError("the last failure is raised")
