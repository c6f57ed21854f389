"""What following a model's scores would have earned after costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analytics.models.arrays import Floats, Ints

STRETCH = 10.0
"""A probability of 0.6 is full long, 0.4 full short, as in `signal_direction`."""


@dataclass(frozen=True, slots=True)
class Earned:
    """`net` per row, a share of what may be held; `trades` = how often the side changed."""

    net: Floats
    trades: int

    @property
    def total(self) -> float:
        """Over all rows."""
        return float(self.net.sum())


def earned(scores: Floats, change: Floats, horizon_bars: int, cost_share: float) -> Earned:
    """Hold by the score from each row to its outcome, an equal part of the money in each of the horizon's bars.

    `cost_share` is of a round trip: a change of what is held costs half of it. Rows are one symbol's, in order of time.
    """
    target = np.clip((scores - 0.5) * STRETCH, -1.0, 1.0)
    moved = np.abs(np.diff(target, prepend=0.0))
    net = (target * change - moved * cost_share / 2.0) / horizon_bars
    sides = np.sign(target[target != 0.0])
    trades = int((np.diff(sides) != 0).sum()) + (1 if len(sides) else 0)
    return Earned(net, trades)


def earned_by_symbol(scores: Floats, change: Floats, symbols: Ints, horizon_bars: int, cost_share: float) -> Earned:
    """The same over several symbols, each with an equal part; `symbols` numbers them."""
    net, trades = np.zeros(len(scores)), 0
    numbers = np.unique(symbols)
    for number in numbers:
        rows = np.flatnonzero(symbols == number)
        one = earned(scores[rows], change[rows], horizon_bars, cost_share)
        net[rows] = one.net / len(numbers)
        trades += one.trades
    return Earned(net, trades)
