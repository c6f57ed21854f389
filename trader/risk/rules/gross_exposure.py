"""How much the account may have at risk."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class GrossExposureLimit:
    """Refuse a buy that could lift all positions together above the limit, in quote at mark.

    Open and UNKNOWN buys count as filled, at the price they may pay. A sell always passes.
    """

    exposure_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if order.side == "sell":
            return APPROVED
        observed = state.gross_worst_case_quote() + order.quantity * order.price
        if observed <= self.exposure_quote_max:
            return APPROVED
        return Refused(type(self).__name__, observed, self.exposure_quote_max, "quote")
