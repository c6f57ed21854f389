"""How far from the market a price may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class PriceCollar:
    """Refuse an order whose price is off the last public trade by more than a share of it.

    Sizes and prices come from the quote; the trade is a second source, so a broken quote cannot price its own order.
    Without a recent trade the quote's own middle stands in.
    """

    share_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        reference = state.mark if state.reference is None else state.reference
        observed = to_scale(abs(order.price - reference) / reference)
        if observed <= self.share_max:
            return APPROVED
        return Refused(type(self).__name__, observed, self.share_max, "share")
