"""What came of bars, by what a model is asked to foresee. Pure: bars in, an outcome a bar out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from analytics.facts import BarKey, BarValues, Value
from analytics.models.arrays import Floats
from analytics.models.earning import Terms
from analytics.models.labels import BIP, UNKNOWN, Barriers, Labels, Path, forward, meta, triple_barrier
from ares.clock import MINUTE_NS
from ares.config.training import TrainingConfig

Sides = Mapping[BarKey, Value]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which outcome a model is to foresee. `cost_share` of a round trip, `barrier_share` of the price.

    `side` names the view of a signal: the outcome is then whether following it pays, by the price's way to `kind`.
    """

    horizon_bars: int
    kind: Literal["forward", "triple_barrier"] = "forward"
    cost_share: float = 0.0
    barrier_share: float = 0.0
    side: str = ""

    @property
    def terms(self) -> Terms:
        """How its scores are followed: who judges a signal is never on the other side of it."""
        return Terms(self.horizon_bars, self.cost_share, 0.0 if self.side else -1.0)


class Outcome(NamedTuple):
    """What came of a bar: 1 or 0, the bar it rests on (UTC ns), what was won as a share, and on which side (1, -1)."""

    y: int
    end_ns: int
    change: float
    side: float = 1.0


def asked_of(config: TrainingConfig) -> Asked:
    """What the settings ask for."""
    kind = config.meta_outcome if config.label == "meta" else config.label
    side = config.meta_signal or "" if config.label == "meta" else ""
    return Asked(config.horizon_bars, kind, config.cost_bps * BIP, config.barrier_share, side)


def outcomes_of(bars: Mapping[BarKey, BarValues], asked: Asked, sides: Sides | None = None) -> dict[BarKey, Outcome]:
    """The outcome of every bar that has one; `sides` are the targets of the signal that is asked about."""
    found: dict[BarKey, Outcome] = {}
    for symbol in {key.symbol for key in bars}:
        moments = [key.ts_ns for key in bars if key.symbol == symbol]
        grid = range(min(moments), max(moments) + MINUTE_NS, MINUTE_NS)
        values = [bars.get(BarKey(symbol, ts_ns)) for ts_ns in grid]
        columns = [[_known(getattr(bar, name, None)) for bar in values] for name in Path._fields]
        labels = _labels(Path(*(np.array(column, dtype=np.float64) for column in columns)), asked)
        signs: Floats = np.ones(len(grid))
        if asked.side:
            signs = np.sign([_known((sides or {}).get(BarKey(symbol, ts_ns))) for ts_ns in grid])
            labels = meta(signs, labels, asked.cost_share)
        for at in np.flatnonzero(labels.y != UNKNOWN):
            outcome = Outcome(int(labels.y[at]), grid[int(labels.end[at])], float(labels.change[at]), float(signs[at]))
            found[BarKey(symbol, grid[int(at)])] = outcome
    return found


def _labels(path: Path, asked: Asked) -> Labels:
    if asked.kind == "forward":
        return forward(path.close, asked.horizon_bars, asked.cost_share)
    barriers = Barriers(asked.barrier_share, asked.barrier_share, asked.horizon_bars)
    return triple_barrier(path, barriers, asked.cost_share)


def _known(value: Value) -> float:
    return float("nan") if value is None else float(value)
