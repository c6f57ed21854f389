"""How much of one symbol the account may hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class PositionLimit(Gauge):
    """Refuse an order that opens and after which all strategies could hold more of the symbol than the limit, in quote.

    Shorts count as much as longs, open and UNKNOWN orders as they would hurt most. What only closes always passes: a
    limit must never lock us inside the position it was meant to bound. What goes beyond closing, the far side of a
    flip, counts.
    """

    position_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        quantity = state.worst_case_quantity(order.symbol) + opening
        return Reading(quantity * max(state.mark, order.price), self.position_quote_max, "quote")
