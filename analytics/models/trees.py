"""Decision trees as flat arrays, and the compiled loop that walks them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

import numba
import numpy as np

from analytics.models.arrays import Floats, Ints

_INTS, _FLOATS = "int64[::1]", "float64[::1]"
SIGNATURE = f"void(float64[:,::1], {_FLOATS}, {_INTS}, {_INTS}, {_INTS}, {_INTS}, {_FLOATS}, {_FLOATS})"

Arrays = tuple[Ints, Ints, Ints, Ints, Floats, Floats]


class Walk(Protocol):
    """Adds to every row's sum the value of the leaf that it comes to in each tree."""

    def __call__(self, x: Floats, sums: Floats, *trees: *Arrays) -> None: ...


@dataclass(frozen=True, slots=True)
class Trees:
    """All nodes of all trees, one after another: roots, left, right, feature, threshold, value. left < 0 is a leaf."""

    arrays: Arrays

    @classmethod
    def of(
        cls,
        left: Sequence[Ints],
        right: Sequence[Ints],
        feature: Sequence[Ints],
        threshold: Sequence[Floats],
        value: Sequence[Floats],
    ) -> Trees:
        """From each tree's own arrays, whose children count from the tree's own root."""
        sizes = [len(each) for each in left]
        roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
        shift = np.repeat(roots, sizes)
        lefts = np.concatenate(left)
        return cls(
            (
                roots,
                np.where(lefts < 0, -1, lefts + shift),
                np.concatenate(right) + shift,
                np.concatenate(feature),
                np.concatenate(threshold),
                np.concatenate(value),
            )
        )

    def edges(self, features: int) -> list[Floats]:
        """The thresholds of each feature."""
        _, left, _, feature, threshold, _ = self.arrays
        asked = (left >= 0) & np.isfinite(threshold)
        return [threshold[asked & (feature == number)] for number in range(features)]


@cache
def walker() -> Walk:
    """The compiled loop. The first call takes a second: it belongs where a model is loaded, not where it is asked."""
    return cast("Walk", numba.njit([SIGNATURE], nogil=True)(_walk))


def _walk(  # noqa: PLR0917 - numba compiles loops over arrays, not over objects that hold them
    x: Floats,
    sums: Floats,
    roots: Ints,
    left: Ints,
    right: Ints,
    feature: Ints,
    threshold: Floats,
    value: Floats,
) -> None:
    for row in range(x.shape[0]):
        for tree in range(roots.shape[0]):
            node = roots[tree]
            while left[node] >= 0:
                node = left[node] if x[row, feature[node]] <= threshold[node] else right[node]
            sums[row] += value[node]
