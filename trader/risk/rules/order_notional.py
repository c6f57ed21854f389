"""How big one order may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class OrderNotionalLimit:
    """Refuse an order that is worth more than the limit, in quote at its worst price.

    It bounds orders, not positions, so it holds for sells too; sizing cuts sells to it, which is why it never locks
    us in.
    """

    notional_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        price = order.price if order.side == "buy" else min(order.price, state.mark)
        observed = order.quantity * price
        if observed <= self.notional_quote_max:
            return APPROVED
        return Refused(type(self).__name__, observed, self.notional_quote_max, "quote")
