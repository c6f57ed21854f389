"""How much may be at risk for each unit of what the account is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import APPROVED, Candidate, Reading, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class LeverageLimit:
    """Refuse a buy after which gross exposure could exceed the account's worth by more than the factor.

    Open and UNKNOWN buys count as filled. While the worth is not known, or not above 0, every buy is refused. A sell
    always passes.
    """

    factor_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        reading = self.measure(order, state)
        return APPROVED if reading is None else reading.verdict(type(self).__name__)

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if order.side == "sell":
            return None
        if state.equity_quote is None or state.equity_quote <= 0:
            return Reading(None, self.factor_max, "factor")
        exposure = state.gross_worst_case_quote() + order.quantity * order.price
        return Reading(to_scale(exposure / state.equity_quote), self.factor_max, "factor")
