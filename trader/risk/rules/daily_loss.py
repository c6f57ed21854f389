"""How much may be lost in a day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Reading, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class DailyLossLimit:
    """Refuse buys once the loss since midnight UTC, realised and unrealised, reaches the limit, in quote.

    A sell always passes.
    """

    loss_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if order.side == "sell" or -state.day_pnl_quote < self.loss_quote_max:
            return APPROVED
        return Refused(type(self).__name__, -state.day_pnl_quote, self.loss_quote_max, "quote")

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        return None if order.side == "sell" else Reading(-state.day_pnl_quote, self.loss_quote_max, "quote")
