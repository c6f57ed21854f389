"""How much may be lost in a day."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Gauge, Reading, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class DailyLossLimit(Gauge):
    """Refuse to open once the loss since midnight UTC, realised and unrealised, reaches the limit, in quote.

    What only closes always passes.
    """

    loss_quote_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if not state.opening(order) or -state.day_pnl_quote < self.loss_quote_max:
            return APPROVED
        return Refused(type(self).__name__, -state.day_pnl_quote, self.loss_quote_max, "quote")

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        return Reading(-state.day_pnl_quote, self.loss_quote_max, "quote") if state.opening(order) else None
