"""What is known of a perpetual's funding rate, from messages that each may tell a part of it. Pure.

A venue repeats its prediction every second, or tells rate and prices on streams of their own. What is written is
bounded: a row where the rate or its moment changed, and now and then one while they do not, so that silence and
sameness differ.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import msgspec

from ares.clock import NANOS_PER_SECOND
from ares.model.market import Funding

RATE_AGE_S_MAX = 300.0
"""A rate that nothing told for so long is not believed, though prices go on: its stream is silent."""


class FundingUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A message about a perpetual's funding; None is what it does not tell, which is as it was.

    `confirms_rate` is False for a message of another stream than the rate's, which says nothing of whether that lives.
    """

    venue: str
    symbol: str
    ts_ns: int
    received_at_ns: int
    rate: float | None = None
    funding_at_ns: int | None = None
    mark_price: float | None = None
    index_price: float | None = None
    confirms_rate: bool = True


@dataclass(slots=True)
class Standing:
    """What stands of one symbol."""

    rate: float | None = None
    funding_at_ns: int | None = None
    mark_price: float | None = None
    index_price: float | None = None
    ts_ns: int = 0
    received_at_ns: int = 0
    venue: str = ""
    confirmed_at_ns: int = 0
    """When the rate was told last; of one that never was, since when it is waited for."""
    written: Funding | None = None

    def take(self, update: FundingUpdate) -> None:
        """Replace what the message tells."""
        if update.rate is not None:
            self.rate = update.rate
        if update.funding_at_ns is not None:
            self.funding_at_ns = update.funding_at_ns
        if update.mark_price is not None:
            self.mark_price = update.mark_price
        if update.index_price is not None:
            self.index_price = update.index_price
        if update.confirms_rate:
            self.confirmed_at_ns = update.received_at_ns
        self.venue = update.venue
        self.ts_ns = max(self.ts_ns, update.ts_ns)
        self.received_at_ns = update.received_at_ns


@dataclass(slots=True)
class FundingRoom:
    """The funding rates of one venue: what they are, and which of their messages are worth a row.

    >>> room = FundingRoom(every_ns=10**9, repeat_ns=60 * 10**9)
    >>> if room.take(update) is None and (funding := room.whole(update.symbol)) and room.is_due(funding): ...
    """

    every_ns: int = NANOS_PER_SECOND
    repeat_ns: int = 60 * NANOS_PER_SECOND
    standings: dict[str, Standing] = field(default_factory=dict)

    def take(self, update: FundingUpdate) -> Literal["silence"] | None:
        """Take a message in; "silence" if the rate's own stream has brought nothing for too long."""
        standing = self.standings.setdefault(update.symbol, Standing(confirmed_at_ns=update.received_at_ns))
        standing.take(update)
        if update.received_at_ns - standing.confirmed_at_ns <= RATE_AGE_S_MAX * NANOS_PER_SECOND:
            return None
        del self.standings[update.symbol]
        return "silence"

    def whole(self, symbol: str) -> Funding | None:
        """The prediction that stands, None until the venue told its rate and its moment."""
        standing = self.standings.get(symbol)
        if standing is None or standing.rate is None or standing.funding_at_ns is None:
            return None
        return Funding(
            standing.venue,
            symbol,
            "predicted",
            standing.rate,
            standing.mark_price,
            standing.index_price,
            standing.funding_at_ns,
            standing.ts_ns,
            standing.received_at_ns,
        )

    def is_due(self, funding: Funding) -> bool:
        """Whether this is worth a row; it counts as written then."""
        standing = self.standings[funding.symbol]
        before = standing.written
        if before is not None:
            changed = (funding.rate, funding.funding_at_ns) != (before.rate, before.funding_at_ns)
            if funding.received_at_ns - before.received_at_ns < (self.every_ns if changed else self.repeat_ns):
                return False
        standing.written = funding
        return True

    def next_at_ns(self, symbol: str) -> int | None:
        """When the symbol pays next, as far as is known."""
        standing = self.standings.get(symbol)
        return None if standing is None else standing.funding_at_ns

    def reset(self) -> None:
        """The stream is lost: nothing of this is true any more."""
        self.standings.clear()
