"""How much of a good result is the luck of having tried often. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import cast

import numpy as np

from analytics.models.arrays import Floats

EULER_GAMMA = 0.5772156649015329
NORMAL = NormalDist()
BLOCKS = 8


def sharpe(returns: Floats) -> float:
    """Mean over deviation, per period; 0 where nothing moves."""
    if len(returns) < 2:
        return 0.0
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if deviation > 0 else 0.0


def probabilistic_sharpe(returns: Floats, above: float) -> float:
    """The probability that the true Sharpe ratio (per period) is above a value, seen these returns.

    Bailey and López de Prado, The Sharpe Ratio Efficient Frontier, 2012, equation 8: skewness and fat tails count.
    """
    count, deviation = len(returns), float(returns.std()) if len(returns) else 0.0
    if count < 2 or deviation == 0.0:
        return 0.0
    scaled = (returns - returns.mean()) / deviation
    skewness, kurtosis = float((scaled**3).mean()), float((scaled**4).mean())
    observed = sharpe(returns)
    variance = 1.0 - skewness * observed + (kurtosis - 1.0) / 4.0 * observed**2
    return NORMAL.cdf((observed - above) * math.sqrt(count - 1) / math.sqrt(max(variance, 1e-12)))


def expected_best_sharpe(trials: Sequence[float]) -> float:
    """What the best of so many worthless trials shows: their spread times the expected maximum of as many normals.

    Bailey and López de Prado, The Deflated Sharpe Ratio, 2014, equation 1.
    """
    count = len(trials)
    if count < 2:
        return 0.0
    spread = float(np.std(np.asarray(trials), ddof=1))
    first, second = NORMAL.inv_cdf(1.0 - 1.0 / count), NORMAL.inv_cdf(1.0 - 1.0 / (count * math.e))
    return spread * ((1.0 - EULER_GAMMA) * first + EULER_GAMMA * second)


def deflated_sharpe(returns: Floats, trials: Sequence[float]) -> float:
    """The probability that a result is better than the best of as many worthless trials; `trials` are their ratios."""
    return probabilistic_sharpe(returns, expected_best_sharpe(trials))


def overfit_probability(returns: Floats, blocks: int = BLOCKS) -> float | None:
    """How often the best trial of one half of the time is below the median in the other; None with fewer than two.

    `returns` has a row a period and a column a trial. Combinatorially symmetric cross-validation: Bailey, Borwein,
    López de Prado and Zhu, The Probability of Backtest Overfitting, 2015.
    """
    periods, trials = returns.shape
    if trials < 2 or periods < blocks:
        return None
    parts = np.array_split(np.arange(periods), blocks)
    below = total = 0
    for chosen in itertools.combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[n] for n in chosen])
        outside = np.concatenate([parts[n] for n in range(blocks) if n not in chosen])
        best = int(np.argmax(_sharpes(returns[inside])))
        after = _sharpes(returns[outside])
        rank = float((after < after[best]).sum() + 0.5 * ((after == after[best]).sum() + 1)) / (trials + 1)
        below += rank <= 0.5
        total += 1
    return below / total


def _sharpes(returns: Floats) -> Floats:
    deviation = returns.std(axis=0, ddof=1)
    ratios = np.divide(returns.mean(axis=0), deviation, out=np.zeros(returns.shape[1]), where=deviation > 0)
    return cast("Floats", ratios)
