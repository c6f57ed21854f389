"""How far a sample is from what was kept of another. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from analytics.models.arrays import Floats

BINS = 10
SAMPLE_MAX = 1_000
PRIOR = 0.5
"""Rows that are added to every bin of both sides (Jeffreys): an empty bin is rare, not impossible."""


class Shape(msgspec.Struct, frozen=True):
    """What is kept of a sample: inner edges of bins that hold about equally many rows, how many, and its quantiles."""

    edges: Sequence[float]
    counts: Sequence[int]
    quantiles: Sequence[float]

    @property
    def rows(self) -> int:
        """How many rows the sample had."""
        return sum(self.counts)


def shape_of(values: Floats) -> Shape:
    """The shape of a sample of finite values. Equal edges are one, so that a feature of few values has few bins."""
    assert len(values), "nothing has no shape"
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    ordered = np.sort(values)
    picked = np.linspace(0, len(ordered) - 1, min(len(ordered), SAMPLE_MAX)).round().astype(np.int64)
    return Shape(edges.tolist(), binned(edges, values).tolist(), ordered[picked].tolist())


def binned(edges: Floats, values: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """How many values lie in each bin; one that is on an edge belongs below it."""
    return np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1).astype(np.int64)


def psi(before: Shape, after: Floats) -> float:
    """The population stability index: the sum over bins of (q - p) ln(q / p), 0 where nothing moved.

    By convention (Siddiqi, Credit Risk Scorecards, 2006) below 0.1 nothing moved, above 0.25 much did.
    """
    counts = np.array(before.counts, dtype=np.float64)
    seen = binned(np.array(before.edges, dtype=np.float64), after).astype(np.float64)
    p = (counts + PRIOR) / (counts.sum() + PRIOR * len(counts))
    q = (seen + PRIOR) / (seen.sum() + PRIOR * len(seen))
    return float(((q - p) * np.log(q / p)).sum())


def ks(before: Shape, after: Floats) -> float:
    """The Kolmogorov-Smirnov statistic: the widest distance between both distribution functions, 0 to 1.

    Of a sample of more than `SAMPLE_MAX` rows its quantiles stand for it, which may cost a thousandth.
    """
    left, right = np.array(before.quantiles, dtype=np.float64), np.sort(after)
    points = np.concatenate([left, right])
    below_left = np.searchsorted(left, points, side="right") / len(left)
    below_right = np.searchsorted(right, points, side="right") / len(right)
    return float(np.abs(below_left - below_right).max())
