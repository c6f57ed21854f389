"""How much may be lost in a day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class DailyLossLimit:
    """Refuse buys once the loss since midnight UTC, realised and unrealised, reaches the limit, in quote.

    A sell always passes.
    """

    loss_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        observed = -state.day_pnl_quote
        if order.side == "sell" or observed < self.loss_quote_max:
            return APPROVED
        return Refused(type(self).__name__, observed, self.loss_quote_max, "quote")
