"""How old a signal may be."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trader.risk.types import APPROVED, Candidate, Refused, RiskState, Verdict


@dataclass(frozen=True, slots=True)
class StaleSignal:
    """Refuse to act on a signal that became known too long ago, seconds."""

    age_s_max: Decimal

    def check(self, _order: Candidate, state: RiskState) -> Verdict:
        return self.check_age(state.signal_age_s)

    def check_age(self, age_s: Decimal) -> Verdict:
        """The same before there is an order to check. From that far in the future only a wrong clock tells."""
        if abs(age_s) <= self.age_s_max:
            return APPROVED
        return Refused(type(self).__name__, age_s, self.age_s_max, "s")
