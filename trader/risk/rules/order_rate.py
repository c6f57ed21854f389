"""How often orders may be sent."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.limits import MINUTE_S
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class OrderRateLimit(Gauge):
    """Refuse to open by one too many orders of the account within a minute. What only closes counts, and passes."""

    orders_per_minute_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if not state.opening(order):
            return None
        recent = sum(1 for sent in state.sent if sent.age_s < MINUTE_S)
        return Reading(Decimal(recent + 1), self.orders_per_minute_max, "orders")
