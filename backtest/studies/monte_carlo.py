"""Monte Carlo: what else the same trades, or the same returns in another order, might have come to. Pure, seeded.

Trades: round trips drawn with replacement (Efron, 1979) say what luck of the draw does; they must not overlap much for
that to mean something. Blocks: stretches of returns drawn from a circle (Politis and Romano, 1992) keep what follows
what, volatility that clusters among it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ares.errors import UsageError
from backtest.outcome import Floats

Method = Literal["trades", "blocks"]
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CELLS_MAX = 4_000_000
"""Numbers in memory at once: 32 MB."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How a figure is distributed over the runs: at each of `QUANTILES`."""

    figure: str
    at: tuple[float, ...]

    def row(self) -> dict[str, object]:
        """For a table."""
        return {"figure": self.figure, **{f"{q:.0%}": value for q, value in zip(QUANTILES, self.at, strict=True)}}


@dataclass(frozen=True, slots=True)
class Drawn:
    """What many runs came to: `end_quote`, `return_share`, `drawdown_share_max`; `loss_share`: of runs that lost."""

    method: Method
    runs: int
    seed: int
    spreads: tuple[Spread, ...]
    loss_share: float


def of_trades(profits: Sequence[float], start_quote: float, runs: int, seed: int) -> Drawn:
    """As many trips as there were, drawn anew, their profits in quote added up."""
    if len(profits) < 2:
        raise UsageError(
            f"--method trades: {len(profits)} round trips ended, and two are the least. Take a longer range"
        )
    gained = np.array(profits)
    chance = np.random.default_rng(seed)
    ends, falls = [], []
    for count in _batches(runs, len(gained)):
        drawn = gained[chance.integers(0, len(gained), (count, len(gained)))]
        worth = start_quote + np.cumsum(drawn, axis=1)
        ends.append(worth[:, -1])
        falls.append(_deepest(worth, start_quote))
    return _told("trades", start_quote, np.concatenate(ends), np.concatenate(falls), seed)


def of_blocks(values: Floats, start_quote: float, runs: int, seed: int, block: int | None = None) -> Drawn:
    """As many returns as there were, in stretches of `block` from a circle; None: the cube root of their number."""
    count = len(values)
    if count < 3:
        raise UsageError(f"--method blocks: {count} returns, and three are the least. Take a longer range")
    length = max(1, round(count ** (1 / 3))) if block is None else block
    if not 1 <= length <= count:
        raise UsageError(f"--block = {length}: of {count} returns it is 1 to {count}")
    chance = np.random.default_rng(seed)
    pieces = -(-count // length)
    ends, falls = [], []
    for batch in _batches(runs, count):
        starts = chance.integers(0, count, (batch, pieces, 1))
        drawn = values[(starts + np.arange(length)) % count].reshape(batch, -1)[:, :count]
        worth = start_quote * np.multiply.accumulate(1 + drawn, axis=1)
        ends.append(worth[:, -1])
        falls.append(_deepest(worth, start_quote))
    return _told("blocks", start_quote, np.concatenate(ends), np.concatenate(falls), seed)


def _batches(runs: int, width: int) -> list[int]:
    if runs < 1:
        raise UsageError(f"--runs = {runs}: one is the least")
    size = max(1, CELLS_MAX // max(1, width))
    return [min(size, runs - done) for done in range(0, runs, size)]


def _deepest(worth: Floats, start_quote: float) -> Floats:
    """By run, the deepest fall as a share of the highest worth before; 1 for an account that is lost."""
    peak = np.maximum.accumulate(np.maximum(worth, start_quote), axis=1)
    deepest: Floats = np.minimum(1.0, np.max(1 - worth / peak, axis=1))
    return deepest


def _told(method: Method, start_quote: float, ends: Floats, falls: Floats, seed: int) -> Drawn:
    figures = {"end_quote": ends, "return_share": ends / start_quote - 1, "drawdown_share_max": falls}
    spreads = tuple(
        Spread(name, tuple(float(value) for value in np.quantile(values, QUANTILES)))
        for name, values in figures.items()
    )
    return Drawn(method, len(ends), seed, spreads, float(np.mean(ends < start_quote)))
