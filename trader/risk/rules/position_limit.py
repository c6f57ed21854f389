"""How much of one symbol the account may hold."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class PositionLimit:
    """Refuse a buy after which all strategies together could hold more of the symbol than the limit, in quote.

    Open and UNKNOWN buys count as filled. A sell always passes: a limit must never lock us inside the position it
    was meant to bound.
    """

    position_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if order.side == "sell":
            return APPROVED
        quantity = state.worst_case_quantity(order.symbol) + order.quantity
        observed = quantity * max(state.mark, order.price)
        if observed <= self.position_quote_max:
            return APPROVED
        return Refused(type(self).__name__, observed, self.position_quote_max, "quote")
