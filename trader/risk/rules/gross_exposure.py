"""How much the account may have at risk."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class GrossExposureLimit(Gauge):
    """Refuse an order that opens and could lift all positions together above the limit, in quote at mark.

    Shorts count as much as longs. Open and UNKNOWN orders count as they would hurt most, at the price they may have.
    What only closes always passes.
    """

    exposure_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        observed = state.gross_worst_case_quote() + opening * state.worst_price(order)
        return Reading(observed, self.exposure_quote_max, "quote")
