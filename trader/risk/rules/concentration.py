"""How much of the account may lie in one symbol."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class ConcentrationLimit(Gauge):
    """Refuse an order that opens and after which the symbol could be more than a share of the account's worth.

    Open and UNKNOWN orders count as they would hurt most. While the worth is not known, or not above 0, nothing is
    opened. What only closes always passes.
    """

    share_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        if state.equity_quote is None or state.equity_quote <= 0:
            return Reading(None, self.share_max, "share")
        exposure = state.symbol_worst_case_quote(order.symbol) + opening * state.worst_price(order)
        return Reading(to_scale(exposure / state.equity_quote), self.share_max, "share")
