"""What we can pay, or give margin for."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.positions import is_linear
from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict

FEE_SHARE = Decimal("0.001")
"""Set aside for a fee that is paid in quote."""


@dataclass(frozen=True, slots=True)
class BuyingPower:
    """Refuse an order that opens and that the free quote balance cannot pay, orders under way and a fee set aside.

    Coins take their price. Contracts, long or short, take initial margin: what is opened over the leverage
    (https://www.binance.com/en/support/faq/360033162192). What only closes always passes.
    """

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        opening = state.opening(order)
        if not opening:
            return APPROVED
        observed = self._needed(order, opening, state)
        available = state.cash_free_quote - state.set_aside_quote()
        if observed <= available:
            return APPROVED
        return Refused(type(self).__name__, observed, available, "quote")

    def _needed(self, order: Candidate, opening: Decimal, state: RiskState) -> Decimal:
        price = state.worst_price(order)
        if not is_linear(order.symbol):
            return order.quantity * price * (1 + FEE_SHARE)
        return opening * price / state.leverage + order.quantity * price * FEE_SHARE
