"""How big one order may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class OrderNotionalLimit(Gauge):
    """Refuse an order that is worth more than the limit, in quote at its worst price.

    It bounds orders, not positions, so it holds for what only closes too; sizing cuts that to it, at mark, which is why
    it never locks us in.
    """

    notional_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading:
        price = state.worst_price(order) if state.opening(order) else min(order.price, state.mark)
        return Reading(order.quantity * price, self.notional_quote_max, "quote")
