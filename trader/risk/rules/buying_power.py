"""What we can pay."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict

FEE_SHARE = Decimal("0.001")
"""Set aside for a fee that is paid in quote."""


@dataclass(frozen=True, slots=True)
class BuyingPower:
    """Refuse a buy that the free quote balance cannot pay, pending buys and a fee set aside."""

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if order.side == "sell":
            return APPROVED
        observed = order.quantity * order.price * (1 + FEE_SHARE)
        available = state.cash_free_quote - state.pending_buys_quote()
        if observed <= available:
            return APPROVED
        return Refused(type(self).__name__, observed, available, "quote")
