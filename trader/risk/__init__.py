"""Limits that every order is checked against. Pure: no I/O; one rule a file."""

from trader.risk.checks import RiskRules, build_rules
from trader.risk.limits import LIMITS, Limits
from trader.risk.rules.drawdown import drawdown_share
from trader.risk.scale import ScalePolicy, exposure_scale
from trader.risk.types import (
    APPROVED,
    Approved,
    Candidate,
    Pending,
    Refused,
    RiskState,
    Sent,
    TradingState,
    Verdict,
    Warned,
)

__all__ = [
    "APPROVED",
    "LIMITS",
    "Approved",
    "Candidate",
    "Limits",
    "Pending",
    "Refused",
    "RiskRules",
    "RiskState",
    "ScalePolicy",
    "Sent",
    "TradingState",
    "Verdict",
    "Warned",
    "build_rules",
    "drawdown_share",
    "exposure_scale",
]
