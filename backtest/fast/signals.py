"""Targets from arrays, compiled: what a sweep over many parameters needs more quickly than a view can answer."""

from __future__ import annotations

import numpy as np

from backtest.fast.compiled import compiled
from backtest.outcome import Floats


@compiled
def ema_cross(close: Floats, fast_bars: int, slow_bars: int) -> Floats:
    """1 while the quick average of the closes lies above the slow one, else 0.

    Exponential, weight 2 / (bars + 1), begun at the first close: pandas' `ewm(span=bars, adjust=False)`.
    """
    targets = np.empty(close.shape)
    for s in range(close.shape[1]):
        quick = slow = close[0, s]
        for i in range(close.shape[0]):
            quick += (close[i, s] - quick) * (2 / (fast_bars + 1))
            slow += (close[i, s] - slow) * (2 / (slow_bars + 1))
            targets[i, s] = 1.0 if quick > slow else 0.0
    return targets
