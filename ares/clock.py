"""The one source of time. Nothing else in Ares calls `datetime.now`, `time.time` or `asyncio.sleep` for a wait."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

NANOS_PER_SECOND = 1_000_000_000
NANOS_PER_MILLI = 1_000_000
NANOS_PER_MICRO = 1_000
MINUTE_NS = 60 * NANOS_PER_SECOND
HOUR_NS = 60 * MINUTE_NS
DAY_NS = 24 * HOUR_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where the time comes from: the machine, or a test that steps it."""

    def now_ns(self) -> int:
        """Wall clock, UTC, nanoseconds since 1970."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that only grow; for deadlines and durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait on this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_s(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


_TO_SECONDS = len("2026-01-01T00:00:00")


def to_datetime(ns: int) -> datetime:
    """UTC ns as an aware datetime, truncated to microseconds (all a datetime can hold)."""
    return _EPOCH + timedelta(microseconds=ns // NANOS_PER_MICRO)


def to_ns(moment: datetime) -> int:
    """A datetime as UTC ns; a naive one is taken as UTC, which is what QuestDB means by it."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // timedelta(microseconds=1) * NANOS_PER_MICRO


def floor_ns(ns: int, step_ns: int) -> int:
    """The start of the step that holds `ns`."""
    return ns - ns % step_ns


def isoformat(ns: int) -> str:
    """UTC ns as ISO 8601 with all nine digits, as QuestDB prints a TIMESTAMP_NS."""
    return f"{to_datetime(ns).isoformat()[:_TO_SECONDS]}.{ns % NANOS_PER_SECOND:09d}Z"
