"""How far bid and ask may lie apart."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import to_scale
from trader.risk.types import Candidate, Gauge, Reading, RiskState


@dataclass(frozen=True, slots=True)
class SpreadLimit(Gauge):
    """Refuse to open while the spread is wider than a share of the middle. What only closes always passes."""

    share_max: Decimal

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        if not state.opening(order):
            return None
        return Reading(None if state.spread is None else to_scale(state.spread), self.share_max, "share")
