"""What a model is asked to foresee. Pure: the bars of one symbol in, an outcome a bar out.

Bars stand on a grid without holes; a bar that is not known is NaN. A label tells where it ends: what it has seen must
be kept away from what is judged (López de Prado, Advances in Financial Machine Learning, 2018, chapters 3 and 7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analytics.models.arrays import Floats, Ints

UNKNOWN = -1
"""The outcome is not known, or there is none."""
BIP = 1e-4


class Path(NamedTuple):
    """The bars of one symbol, one after the other."""

    high: Floats
    low: Floats
    close: Floats


class Barriers(NamedTuple):
    """How far the price goes before a label ends: up and down as shares of the price, and for how many bars."""

    up: Floats | float
    down: Floats | float
    bars: int


@dataclass(frozen=True, slots=True)
class Labels:
    """An outcome a bar: `y` is 1, 0 or `UNKNOWN`; `end` the last bar it rests on; `change` the price's, as a share.

    `end` of an unknown outcome is the bar itself, its `change` NaN.
    """

    y: Ints
    end: Ints
    change: Floats


def forward(close: Floats, bars: int, cost_share: float = 0.0) -> Labels:
    """Whether the close has risen by more than a round trip costs, `bars` later.

    Without costs a price that did not move has no outcome: it says nothing of where it goes.
    """
    change = np.full(len(close), np.nan)
    if bars < len(close):
        change[:-bars] = close[bars:] / close[:-bars] - 1.0
    known = np.isfinite(change) & ((change != 0.0) | (cost_share > 0.0))
    here = np.arange(len(close))
    y = np.where(known, change > cost_share, UNKNOWN).astype(np.int64)
    return Labels(y, np.where(known, here + bars, here), np.where(known, change, np.nan))


def triple_barrier(path: Path, barriers: Barriers, cost_share: float = 0.0) -> Labels:
    """Which barrier the price touches first, above, below or in time, having been bought at the bar's close.

    1 where what was won is more than a round trip costs. A bar that touches both counts as a loss: nobody knows which
    came first. A hole in the path before its end leaves the outcome unknown.
    """
    close, size = path.close, len(path.close)
    up, down = (np.broadcast_to(np.asarray(each, dtype=np.float64), (size,)) for each in (barriers.up, barriers.down))
    change, end = np.full(size, np.nan), np.arange(size)
    open_ = np.isfinite(close) & np.isfinite(up) & np.isfinite(down)
    for ahead in range(1, barriers.bars + 1):
        rows = np.flatnonzero(open_[: max(0, size - ahead)])
        later = rows + ahead
        holed = ~(np.isfinite(path.high[later]) & np.isfinite(path.low[later]) & np.isfinite(close[later]))
        lost = ~holed & (path.low[later] <= close[rows] * (1.0 - down[rows]))
        won = ~holed & ~lost & (path.high[later] >= close[rows] * (1.0 + up[rows]))
        timed = ~holed & ~lost & ~won & (ahead == barriers.bars)
        change[rows[lost]], change[rows[won]] = -down[rows[lost]], up[rows[won]]
        change[rows[timed]] = close[later[timed]] / close[rows[timed]] - 1.0
        ended = lost | won | timed
        end[rows[ended]] = later[ended]
        open_[rows[ended | holed]] = False
    known = np.isfinite(change)
    return Labels(np.where(known, change > cost_share, UNKNOWN).astype(np.int64), end, change)


def meta(side: Floats, first: Labels, cost_share: float = 0.0) -> Labels:
    """Whether following somebody's side (positive: long, negative: short, 0: neither) pays after costs.

    `first` are the outcomes of the price itself, by either way above. No side, no outcome.
    """
    known = (first.y != UNKNOWN) & np.isfinite(side) & (side != 0.0)
    earned = np.sign(side) * first.change
    here = np.arange(len(side))
    y = np.where(known, earned > cost_share, UNKNOWN).astype(np.int64)
    return Labels(y, np.where(known, first.end, here), np.where(known, earned, np.nan))
