"""How far the profit may fall from its highest."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class DrawdownLimit(Gauge):
    """Refuse to open while the profit lies further below its highest than a share of what the account was worth then.

    Measured by profit, so deposits and withdrawals are no gain and no loss. While it is not known nothing is
    opened. What only closes always passes.
    """

    share_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if not state.opening(order):
            return None
        return Reading(drawdown_share(state.equity_quote, state.drawdown_quote), self.share_max, "share")


def drawdown_share(equity_quote: Decimal | None, drawdown_quote: Decimal | None) -> Decimal | None:
    """The fall from the highest profit, as a share of the account's worth at that height; None if not known."""
    if equity_quote is None or drawdown_quote is None or equity_quote + drawdown_quote <= 0:
        return None
    return to_scale(drawdown_quote / (equity_quote + drawdown_quote))
