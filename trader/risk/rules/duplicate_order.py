"""How soon the same order may come again."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class DuplicateOrder:
    """Refuse to open while the same order of a strategy, by symbol, side and quantity, is younger than so many seconds.

    `observed` is how old that one is. What only closes always passes: what is cut into equal legs must get out.
    """

    age_s_min: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if not state.opening(order):
            return APPROVED
        same = (order.strategy, order.symbol, order.side, order.quantity)
        ages = [s.age_s for s in state.sent if (s.strategy, s.symbol, s.side, s.quantity) == same]
        if not ages or min(ages) >= self.age_s_min:
            return APPROVED
        return Refused(type(self).__name__, min(ages), self.age_s_min, "s")
