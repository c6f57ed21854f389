"""How much of what is traded an order may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class LiquidityLimit(Gauge):
    """Refuse an order that opens and is more than a share of what was traded of its symbol in the last hour.

    While that is not known, or nothing was traded, nothing is opened. What only closes always passes.
    """

    share_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if not state.opening(order):
            return None
        if not state.volume_quote or state.volume_quote < 0:
            return Reading(None, self.share_max, "share")
        return Reading(to_scale(order.quantity * order.price / state.volume_quote), self.share_max, "share")

    def fitting(self, order: Candidate, state: RiskState, soft_share: Decimal) -> Decimal:
        """How much of the order's quantity is within a share of the limit; all of what this rule does not bound."""
        if not state.opening(order) or not state.volume_quote or state.volume_quote < 0:
            return order.quantity
        return min(order.quantity, self.share_max * soft_share * state.volume_quote / order.price)
