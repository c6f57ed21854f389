"""Whether trading is on at all."""

from __future__ import annotations

from dataclasses import dataclass

from trader.portfolio.money import ZERO
from trader.risk.types import APPROVED, Candidate, Refused, RiskState, TradingState, Verdict


@dataclass(frozen=True, slots=True)
class TradingStateRule:
    """Refuse every order while HALTED, and every one that opens while REDUCING: the limit is 0 then."""

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        active = state.trading_state is TradingState.ACTIVE
        reducing = state.trading_state is TradingState.REDUCING and not state.opening(order)
        if active or reducing:
            return APPROVED
        return Refused(type(self).__name__, order.quantity * order.price, ZERO, "quote")
