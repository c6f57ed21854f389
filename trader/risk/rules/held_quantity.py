"""What may be sold."""

from __future__ import annotations

from dataclasses import dataclass

from trader.portfolio.money import ZERO
from trader.portfolio.positions import is_linear
from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class HeldQuantity:
    """Refuse to sell more coins than the strategy holds: spot has no short side, and those of others are not ours.

    Sells of it that are still pending count as sold, but for those that protect it: they are lifted first. Contracts
    can be short: other limits bound that.
    """

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if order.side == "buy" or is_linear(order.symbol):
            return APPROVED
        key = (order.symbol, order.strategy)
        sells = (p for p in state.pending if (p.symbol, p.strategy) == key and p.side == "sell" and not p.protects)
        available = state.held(order.symbol, order.strategy) - sum((p.remaining for p in sells), ZERO)
        if order.quantity <= available:
            return APPROVED
        return Refused(type(self).__name__, order.quantity, available, "base")
