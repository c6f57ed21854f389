"""A test that may be looked at after every bar: which of two models foresees better. Pure.

The mixture sequential probability ratio test (Robbins 1970; Johari, Pekelis and Walsh, Always Valid Inference, 2022):
the ratio of "they differ by some amount" to "they do not" exceeds 1/alpha with probability alpha at most, ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np

from analytics.models.arrays import Floats

Verdict = Literal["undecided", "better", "worse"]
ROWS_MIN = 30


@dataclass(frozen=True, slots=True)
class Compared:
    """`edge`: by how much the challenger's log-loss is lower, nats a bar; `evidence`: the highest ratio so far."""

    verdict: Verdict
    rows: int
    edge: float
    evidence: float
    decided_at: int | None


def compare(champion: Floats, challenger: Floats, alpha: float, tau: float = 0.01, horizon_bars: int = 1) -> Compared:
    """Log-losses of the same bars by two models, in order of time. `tau`: the difference one expects, nats.

    Outcomes of neighbouring bars overlap by the horizon, so that only every `horizon_bars`-th mean counts as new.
    """
    steps = len(champion) // horizon_bars
    apart = (champion - challenger)[: steps * horizon_bars].reshape(steps, horizon_bars).mean(axis=1)
    edge = float(apart.mean()) if steps else 0.0
    if steps < ROWS_MIN:
        return Compared("undecided", len(champion), edge, 1.0, None)
    ratios = np.exp(np.minimum(_log_ratios(apart, tau), 700.0))
    crossed = np.flatnonzero(ratios >= 1.0 / alpha)
    if not len(crossed):
        return Compared("undecided", len(champion), edge, float(ratios.max()), None)
    at = int(crossed[0])
    leads = float(apart[: at + ROWS_MIN].mean()) > 0
    verdict: Verdict = "better" if leads else "worse"
    return Compared(verdict, len(champion), edge, float(ratios.max()), (at + ROWS_MIN) * horizon_bars)


def _log_ratios(apart: Floats, tau: float) -> Floats:
    """The logarithm of the mixture's likelihood ratio after each step from the `ROWS_MIN`-th on."""
    count = np.arange(1, len(apart) + 1)
    mean = np.cumsum(apart) / count
    variance = np.maximum(np.cumsum(apart**2) / count - mean**2, 1e-12)
    spread = variance + count * tau**2
    ratios = 0.5 * np.log(variance / spread) + (count * mean * tau) ** 2 / (2.0 * variance * spread)
    assert math.isfinite(float(ratios[-1])), "log-losses are finite"
    return cast("Floats", ratios[ROWS_MIN - 1 :])
