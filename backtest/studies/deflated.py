"""How likely a Sharpe ratio is skill, after so many were tried. Pure.

Bailey and López de Prado: The Deflated Sharpe Ratio, Journal of Portfolio Management 40 (5), 2014.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import e, sqrt
from statistics import NormalDist

import numpy as np

from backtest.outcome import Floats
from backtest.returns import TINY

EULER = 0.5772156649015329
NORMAL = NormalDist()


def probable_sharpe(values: Floats, benchmark: float = 0.0) -> float | None:
    """The probability that the true Sharpe ratio of these returns, per period, lies above `benchmark`.

    Skew and fat tails count. None where the returns do not vary or are fewer than three.
    """
    count = len(values)
    spread = float(np.std(values, ddof=1)) if count > 2 else 0.0
    if spread <= TINY:
        return None
    found = float(np.mean(values)) / spread
    scaled = (values - np.mean(values)) / np.std(values)
    skew, tails = float(np.mean(scaled**3)), float(np.mean(scaled**4))
    variance = 1 - skew * found + (tails - 1) / 4 * found**2
    return NORMAL.cdf((found - benchmark) * sqrt(count - 1) / sqrt(variance)) if variance > 0 else None


def expected_best(sharpes: Sequence[float]) -> float:
    """The Sharpe ratio that the best of so many trials without any skill is expected to have, per period."""
    count = len(sharpes)
    if count < 2:
        return 0.0
    spread = float(np.std(sharpes, ddof=1))
    one, other = NORMAL.inv_cdf(1 - 1 / count), NORMAL.inv_cdf(1 - 1 / (count * e))
    return spread * ((1 - EULER) * one + EULER * other)


def deflated_sharpe(best: Floats, sharpes: Sequence[float]) -> float | None:
    """The probability that the best of several trials has skill, given all that were tried.

    `best`: its returns; `sharpes`: the ratios of all trials per period of those returns, its own among them. Trials
    that resemble each other count as if they did not: the answer is on the careful side.
    """
    return probable_sharpe(best, expected_best(sharpes))
