"""How much one strategy may have at risk."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class StrategyExposureLimit(Gauge):
    """Refuse an order that opens and could lift all positions of its strategy together above the limit, in quote.

    At mark, shorts as much as longs; open and UNKNOWN orders of the strategy count as they would hurt most. What only
    closes always passes.
    """

    exposure_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        observed = state.strategy_worst_case_quote(order.strategy) + opening * state.worst_price(order)
        return Reading(observed, self.exposure_quote_max, "quote")
