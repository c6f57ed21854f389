"""How much may be at risk for each unit of what the account is worth."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class LeverageLimit(Gauge):
    """Refuse an order that opens and after which gross exposure could exceed the account's worth times the factor.

    Open and UNKNOWN orders count as they would hurt most. While the worth is not known, or not above 0, nothing is
    opened. What only closes always passes.
    """

    factor_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        if state.equity_quote is None or state.equity_quote <= 0:
            return Reading(None, self.factor_max, "factor")
        exposure = state.gross_worst_case_quote() + opening * state.worst_price(order)
        return Reading(to_scale(exposure / state.equity_quote), self.factor_max, "factor")
