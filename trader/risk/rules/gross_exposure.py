"""How much the account may have at risk."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Reading, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class GrossExposureLimit:
    """Refuse a buy that could lift all positions together above the limit, in quote at mark.

    Open and UNKNOWN buys count as filled, at the price they may pay. A sell always passes.
    """

    exposure_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        reading = self.measure(order, state)
        return APPROVED if reading is None else reading.verdict(type(self).__name__)

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if order.side == "sell":
            return None
        observed = state.gross_worst_case_quote() + order.quantity * order.price
        return Reading(observed, self.exposure_quote_max, "quote")
