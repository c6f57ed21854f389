"""How far the account may lean to one side."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.positions import is_linear
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class NetExposureLimit(Gauge):
    """Refuse an order after which positions, shorts below zero, could lie beyond the limit on its side, in quote.

    What is under way counts in the direction that hurts: buys as filled against a buy, sells as filled against a sell.
    A sell of coins that leaves nothing short always passes, and so does what only closes a contract: a hedge may go
    before what it hedged.
    """

    exposure_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        least, most = state.net_worst_case_quote()
        if is_linear(order.symbol) and not state.opening(order):
            return None
        value = order.quantity * state.worst_price(order)
        if order.side == "buy":
            return Reading(most + value, self.exposure_quote_max, "quote")
        return None if value <= least else Reading(value - least, self.exposure_quote_max, "quote")
