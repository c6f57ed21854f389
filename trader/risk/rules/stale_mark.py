"""How old the marks may be that say what is at risk already."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class StaleMark:
    """Refuse to open while something that is held was last marked too long ago, seconds.

    Exposure and the day's profit rest on these marks: with an old one, no limit on them means anything. What only
    closes always passes.
    """

    age_s_max: Decimal

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        if not state.opening(order) or state.mark_age_s <= self.age_s_max:
            return APPROVED
        return Refused(type(self).__name__, state.mark_age_s, self.age_s_max, "s")
