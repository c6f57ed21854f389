"""Limits that every order is checked against. Pure: no I/O; one rule a file."""

from trader.risk.checks import Limits, RiskRules, build_rules
from trader.risk.types import APPROVED, Approved, Candidate, Pending, Refused, RiskState, TradingState, Verdict

__all__ = [
    "APPROVED",
    "Approved",
    "Candidate",
    "Limits",
    "Pending",
    "Refused",
    "RiskRules",
    "RiskState",
    "TradingState",
    "Verdict",
    "build_rules",
]
