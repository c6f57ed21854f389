"""How far the account may lean to one side."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Reading, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class NetExposureLimit:
    """Refuse an order after which positions, shorts below zero, could lie beyond the limit on its side, in quote.

    What is under way counts in the direction that hurts: buys as filled against a buy, sells as filled against a sell.
    A sell that leaves nothing short always passes.
    """

    exposure_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        reading = self.measure(order, state)
        return APPROVED if reading is None else reading.verdict(type(self).__name__)

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        least, most = state.net_worst_case_quote()
        if order.side == "buy":
            return Reading(most + order.quantity * order.price, self.exposure_quote_max, "quote")
        short = order.quantity * max(order.price, state.mark) - least
        return None if short <= 0 else Reading(short, self.exposure_quote_max, "quote")
