"""How much an ordinary bad hour may cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class VarLimit(Gauge):
    """Refuse an order that opens if the historical value at risk, 95 % over one hour, could then exceed the limit.

    In quote: the sum over all symbols of worst-case value times the loss that history shows in one hour of twenty. No
    symbol is thought to make up for another (the comonotonic bound; McNeil, Frey, Embrechts, Quantitative Risk
    Management, 7.2), nor a short for a long. While the history of anything that is held or ordered is too short nothing
    is opened. What only closes always passes.
    """

    loss_quote_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        opening = state.opening(order)
        if not opening:
            return None
        if not state.symbols_at_risk() | {order.symbol} <= state.loss_shares.keys():
            return Reading(None, self.loss_quote_max, "quote")
        standing = (state.symbol_worst_case_quote(s) * share for s, share in state.loss_shares.items())
        added = opening * state.worst_price(order) * state.loss_shares[order.symbol]
        return Reading(to_scale(sum(standing, added)), self.loss_quote_max, "quote")
