"""Ids of trades that come without any: made of their time, so that the same trade always gets the same. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ares.clock import NANOS_PER_MICRO

PER_MICRO = 4_096
"""Trades of one symbol within a microsecond that can be told apart."""
DERIVED_MIN = 2**62
"""Ids from here on are derived; venues count from 1. `ingest/queries` say this number too."""
TOO_MANY = -1


@dataclass(slots=True)
class DerivedIds:
    """The microsecond of a trade times 4096, and its place among those of that microsecond.

    Trades must come in an order that is always the same. Ids grow with time; they count nothing, so that a hole between
    two of them says nothing.

    >>> ids = DerivedIds(); [ids.next(ns) - 1_704_067_200_000_000 * 4096 for ns in (1_704_067_200_000_000_000,) * 2]
    [0, 1]
    """

    micro: int = 0
    place: int = 0

    def next(self, time_ns: int) -> int:
        """The id of the next trade; `TOO_MANY` where it can have none: the 4097th of a microsecond, or before 2006."""
        micro = time_ns // NANOS_PER_MICRO
        self.place = self.place + 1 if micro == self.micro else 0
        self.micro = micro
        seq = micro * PER_MICRO + self.place
        return seq if self.place < PER_MICRO and DERIVED_MIN <= seq < 2**63 else TOO_MANY


def is_derived(seq: int) -> bool:
    """Whether an id was made here, not by the venue."""
    return seq >= DERIVED_MIN
