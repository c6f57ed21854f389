"""What must be kept of one symbol's trades, whatever its ids are like: by ids that grow by one, or by time."""

from __future__ import annotations

from typing import Protocol

from ares.config.settings import VenueConfig
from ares.model.market import Trade, TradeRun
from ares.model.row import Row
from ingest.gaps import Cause, Gap
from ingest.intake import Accepted, Resume, TradeIntake
from ingest.timed import TimedIntake

IDS_WITH_HOLES = frozenset({"bybit", "bybitlinear", "ccxt"})
"""Protocols whose trade ids of a symbol do not grow by one, or not for sure: one that is not there says nothing."""


class Intake(Protocol):
    """The account of one symbol's trades. Pure: trades and moments in, rows out, in the order of their durability."""

    first: int | None
    last: int | None
    first_ts_ns: int
    last_ts_ns: int
    gaps: list[Gap]
    tail: Gap | None

    @property
    def is_current(self) -> bool:
        """Whether there is a newest trade and nothing is missing after it, as far as we know."""
        ...

    def resume(self, known: Resume, now_ns: int) -> list[Row]:
        """Continue from what is stored: what was missing still is, and so is what came while we were away."""
        ...

    def interrupted(self, cause: Cause, now_ns: int) -> list[Row]:
        """The stream stopped: from here on trades may be missing, until we know better."""
        ...

    def is_next_run(self, run: TradeRun) -> bool:
        """Whether these trades continue what we have: each would be `NEXT`, with no rows beside it."""
        ...

    def accept_run(self, run: TradeRun) -> None:
        """Take in trades for which `is_next_run` holds."""
        ...

    def accept(self, trade: Trade, now_ns: int) -> Accepted:
        """Take a trade of the stream in."""
        ...

    def lost_row(self, seq: int, ts_ns: int, now_ns: int) -> Row:
        """The store refused this trade for good: it is missing, and that is recorded."""
        ...


def has_dense_ids(config: VenueConfig) -> bool:
    """Whether the ids of a venue's trades tell what is missing."""
    return config.protocol not in IDS_WITH_HOLES


def intake_of(venue: str, symbol: str, *, dense_ids: bool) -> Intake:
    """An empty account of the kind that a venue's ids allow."""
    return TradeIntake(venue, symbol) if dense_ids else TimedIntake(venue, symbol)
