"""Whether a probability means what it says, and whether a window looks like another. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analytics.models.arrays import Floats, Ints

BINS = 10
PSI_SHARE_MIN = 1e-4


class Bin(NamedTuple):
    """Rows that were given about the same probability: what was said, what came, of how many."""

    said: float
    came: float
    rows: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Brier score, expected calibration error (both 0 at best) and the reliability bins, lowest first."""

    brier: float
    ece: float
    bins: tuple[Bin, ...]


def calibration(y: Ints, scores: Floats, bins: int = BINS) -> Calibration:
    """Bins hold equally many rows each, for scores crowd around a half."""
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    found = tuple(Bin(float(scores[part].mean()), float(y[part].mean()), len(part)) for part in parts)
    ece = sum(abs(each.said - each.came) * each.rows for each in found) / max(1, len(y))
    return Calibration(float(((scores - y) ** 2).mean()) if len(y) else 0.0, ece, found)


def log_losses(y: Ints, scores: Floats) -> Floats:
    """The log-loss of every row, in nats; a score is kept a millionth away from certainty."""
    sure = np.clip(scores, 1e-6, 1 - 1e-6)
    return -np.where(y == 1, np.log(sure), np.log(1.0 - sure))


def stability_index(before: Floats, after: Floats, bins: int = BINS) -> float:
    """The population stability index between two samples; below 0.1 nothing moved, above 0.25 much did.

    Bins are the deciles of `before`; equal ones are one bin, so that a feature of few values has few.
    """
    edges = np.unique(np.quantile(before, np.linspace(0, 1, bins + 1)[1:-1]))
    shares = [
        np.maximum(np.bincount(np.searchsorted(edges, part), minlength=len(edges) + 1) / len(part), PSI_SHARE_MIN)
        for part in (before, after)
    ]
    return float(((shares[1] - shares[0]) * np.log(shares[1] / shares[0])).sum())
