"""What a strategy adds to holding the same symbols: alpha, beta, information ratio. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from backtest.outcome import Floats, Ints
from backtest.returns import TINY, returns


@dataclass(frozen=True, slots=True)
class Comparison:
    """Against a benchmark, from returns of the same periods, annualised. None where nothing varies.

    `beta` is covariance over the benchmark's variance, `alpha` what beta does not explain (Jensen, 1968, no riskless
    rate), `information_ratio` the mean of the difference over its deviation (Goodwin, 1998).
    """

    benchmark_return_share: float
    alpha: float | None
    beta: float | None
    correlation: float | None
    information_ratio: float | None


def hold(closes: Floats, start_quote: float) -> Floats:
    """The worth of equal parts of every symbol, bought at its first close and kept; by bar and symbol, NaN: no price.

    Before a symbol's first price its part is cash. No costs.
    """
    part = start_quote / max(1, closes.shape[1])
    worth = np.full(len(closes), 0.0)
    for close in closes.T:
        known = np.flatnonzero(~np.isnan(close))
        if not len(known):
            worth += part
            continue
        places = np.where(np.isnan(close), -1, np.arange(len(close)))
        carried = np.maximum.accumulate(places)
        worth += np.where(carried < 0, part, part * close[np.maximum(carried, 0)] / close[known[0]])
    return worth


def compare(ts: Ints, equity: Floats, benchmark: Floats, start_quote: float) -> Comparison:
    """A strategy's worth against a benchmark's at the same moments, both of `start_quote` at the start."""
    ours = returns(ts, equity, start_quote)
    theirs = returns(ts, benchmark, start_quote)
    count = min(len(ours.values), len(theirs.values))
    one, other = ours.values[:count], theirs.values[:count]
    gained = float(benchmark[-1]) / start_quote - 1 if len(benchmark) else 0.0
    if count < 2:
        return Comparison(gained, None, None, None, None)
    spread = float(np.std(other, ddof=1))
    beta = float(np.cov(one, other, ddof=1)[0, 1]) / spread**2 if spread > TINY else None
    alpha = None if beta is None else (float(np.mean(one)) - beta * float(np.mean(other))) * ours.per_year
    active = float(np.std(one - other, ddof=1))
    ratio = float(np.mean(one - other)) / active * sqrt(ours.per_year) if active > TINY else None
    own = float(np.std(one, ddof=1))
    alike = None if beta is None or own <= TINY else beta * spread / own
    return Comparison(gained, alpha, beta, alike, ratio)
