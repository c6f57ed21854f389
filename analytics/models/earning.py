"""What following a model's scores would have earned after costs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from analytics.models.arrays import Floats, Ints

STRETCH = 10.0
"""A probability of 0.6 is full long, 0.4 full short, as in `signal_direction`."""


@dataclass(frozen=True, slots=True)
class Earned:
    """`net` per row, a share of what may be held; `trades` = how often a side was taken."""

    net: Floats
    trades: int

    @property
    def total(self) -> float:
        """Over all rows."""
        return float(self.net.sum())


class Terms(NamedTuple):
    """How scores are followed: in how many bars, at what cost of a round trip, and the least that is held of a side."""

    horizon_bars: int
    cost_share: float
    least: float = -1.0


class Held(Protocol):
    """Rows in order of time: what was won on `side` as a share, and the number of the symbol."""

    @property
    def change(self) -> Floats: ...
    @property
    def side(self) -> Floats: ...
    @property
    def symbol(self) -> Ints: ...


def earned(scores: Floats, change: Floats, side: Floats, terms: Terms) -> Earned:
    """Hold by the score from each row to its outcome, an equal part of the money in each of the horizon's bars.

    A change of what is held costs half a round trip. Rows are one symbol's, in order of time.
    """
    target = np.clip((scores - 0.5) * STRETCH, terms.least, 1.0)
    held = target * side
    moved = np.abs(np.diff(held, prepend=0.0))
    net = (target * change - moved * terms.cost_share / 2.0) / terms.horizon_bars
    sides = np.sign(held)
    before = np.concatenate([[0.0], sides[:-1]])
    return Earned(net, int(((sides != 0.0) & (sides != before)).sum()))


def earned_by_symbol(scores: Floats, rows: Held, terms: Terms) -> Earned:
    """The same over several symbols, each with an equal part."""
    net, trades = np.zeros(len(scores)), 0
    numbers = np.unique(rows.symbol)
    for number in numbers:
        mine = np.flatnonzero(rows.symbol == number)
        one = earned(scores[mine], rows.change[mine], rows.side[mine], terms)
        net[mine] = one.net / len(numbers)
        trades += one.trades
    return Earned(net, trades)
