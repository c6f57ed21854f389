"""How near to its end a contract may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class LiquidationLimit:
    """Refuse to open more of a contract whose liquidation price lies nearer to the mark than a share of that.

    Where the venue names no such price, as for coins, nothing is refused. What only closes always passes.
    """

    share_min: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        share = state.liquidation_shares.get(order.symbol)
        if share is None or share >= self.share_min or not state.opening(order):
            return APPROVED
        return Refused(type(self).__name__, share, self.share_min, "share")
