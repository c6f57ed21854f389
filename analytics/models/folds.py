"""Where a model learns and where it is judged: always earlier and later, with room between. Pure."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from analytics.models.arrays import Flags, Ints


class Times(NamedTuple):
    """When each row was, and when its outcome was known (UTC ns)."""

    ts_ns: Ints
    end_ns: Ints


class Fold(NamedTuple):
    """Rows to learn from and rows to be judged by."""

    train: Ints
    test: Ints


def cut(times: Times, test_from_ns: int, embargo_ns: int) -> tuple[Flags, Flags]:
    """Rows before a moment and from it on. An outcome that reaches into the embargo before it is not learnt from."""
    return times.end_ns < test_from_ns - embargo_ns, times.ts_ns >= test_from_ns


def walk_forward(times: Times, folds: int, embargo_ns: int, first_share: float = 0.4) -> list[Fold]:
    """Blocks of time in turn: each is judged by a model of all that is before it, purged and with an embargo.

    The first `first_share` of the moments is only learnt from. A fold in which nothing is left is not there.
    """
    moments = np.unique(times.ts_ns)
    begin = max(1, round(len(moments) * first_share))
    edges = np.linspace(begin, len(moments), folds + 1).astype(np.int64)
    found = []
    for lo, hi in itertools.pairwise(edges):
        if lo >= hi:
            continue
        early, late = cut(times, int(moments[lo]), embargo_ns)
        test = np.flatnonzero(late & (times.ts_ns <= moments[hi - 1]))
        train = np.flatnonzero(early)
        if len(train) and len(test):
            found.append(Fold(train, test))
    return found


def leaks(times: Times, fold: Fold, embargo_ns: int) -> int:
    """How many rows of the training part have an outcome that reaches into the embargo or the rows of the test."""
    first = int(times.ts_ns[fold.test].min())
    return int((times.end_ns[fold.train] >= first - embargo_ns).sum())
