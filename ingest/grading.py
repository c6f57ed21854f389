"""Which checks of stored data there are, and what grade an observation gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import Literal

from ares.config.quality import QualityLimit
from ares.errors import ConfigError

Grade = Literal["ok", "warn", "fail"]
GRADES: tuple[Grade, ...] = ("ok", "warn", "fail")


@dataclass(frozen=True, slots=True)
class Check:
    """A query of `queries/quality/checks.sql`: what its observation is counted in, and above what it is graded how.

    `required`: no row at all is a failure, not a lack of something to judge.
    """

    unit: str
    limit: QualityLimit
    required: bool = False


def _limit(warn: float, fail: float | None) -> QualityLimit:
    return QualityLimit(warn=warn, fail=fail)


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "bars_differ": Check("minutes", _limit(0, 2)),
        "bars_unmatched": Check("minutes", _limit(0, 2)),
        "impossible_values": Check("rows", _limit(0, 0)),
        "off_tick": Check("rows", _limit(0, None)),
        "off_step": Check("rows", _limit(0, None)),
        "price_jump": Check("ratio", _limit(1.02, 1.1)),
        "clock_ahead": Check("ms", _limit(50, 1_000)),
        "latency": Check("ms", _limit(1_000, 5_000)),
        "duplicates": Check("rows", _limit(0, 0)),
        "out_of_order": Check("rows", _limit(0, 100)),
        "missing_ids": Check("ids", _limit(0, 0)),
        "stale": Check("intervals", _limit(30, 120), required=True),
        "gaps_open": Check("s", _limit(60, 900)),
        "gaps_lost": Check("trades", _limit(0, 1_000)),
        "quarantined": Check("frames", _limit(0, 100)),
    }
)
"""Off the tick or the step never fails: a venue changes them while we run, and what traded has traded."""


def checks_of(limits: Mapping[str, QualityLimit]) -> Mapping[str, Check]:
    """The checks with these limits instead of their own. Raises `ConfigError` for one that there is not."""
    for name in limits:
        if name not in CHECKS:
            raise ConfigError("quality.limits", name, "no such check", f"Choose of: {', '.join(CHECKS)}")
    return {
        name: Check(check.unit, limits.get(name, check.limit), required=check.required)
        for name, check in CHECKS.items()
    }


def grade_of(observed: float | None, check: Check) -> Grade | None:
    """The grade of what was observed; None if there was nothing to judge.

    >>> grade_of(3.0, Check("rows", QualityLimit(warn=0, fail=2)))
    'fail'
    """
    if observed is None:
        return "fail" if check.required else None
    if not isfinite(observed):
        return "fail"
    if check.limit.fail is not None and observed > check.limit.fail:
        return "fail"
    return "warn" if observed > check.limit.warn else "ok"
