"""What must not be learnable: trained beside every model, and if it learns, the model is refused. Pure.

Labels that were shuffled teach nothing, unless the rows that judge are among those that teach; a feature of noise
ranks nowhere, unless what teaches knows what it is asked. Each gets the benefit of chance: so many deviations of an
area under the ROC curve that means nothing, wider by how far outcomes overlap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from sklearn.metrics import roc_auc_score

from analytics.models.arrays import Floats, Ints
from analytics.models.families import Classifier, FitWork, Recipe, fitted, scores

DEVIATIONS = 4.0
NOISE = "noise"


class Rows(Protocol):
    """What is learnt from, or judged by."""

    @property
    def features(self) -> tuple[str, ...]: ...
    @property
    def x(self) -> Floats: ...
    @property
    def y(self) -> Ints: ...
    @property
    def ts_ns(self) -> Ints: ...
    @property
    def symbol(self) -> Ints: ...


@dataclass(frozen=True, slots=True)
class Canaries:
    """`tolerance`: how far from a half an area may be by chance; `importance`: what each feature adds to it."""

    shuffled_auc: float
    tolerance: float
    importance: Mapping[str, float]

    @property
    def alarms(self) -> tuple[str, ...]:
        """What was learnt that cannot be known; nothing if all is well."""
        found = []
        if abs(self.shuffled_auc - 0.5) > self.tolerance:
            found.append(
                f"leak: shuffled labels are foreseen, auc {self.shuffled_auc:.3f} "
                f"(0.5 ± {self.tolerance:.3f} is chance)"
            )
        if self.importance[NOISE] > self.tolerance:
            found.append(
                f"leak: a feature of pure noise adds {self.importance[NOISE]:.3f} to the auc "
                f"({self.tolerance:.3f} is chance)"
            )
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Traps:
    """What canaries are to learn (`works`), and what shows whether they did. `rng` is drawn from in this order."""

    works: tuple[FitWork, ...]
    late: Rows
    beside_late: Floats
    shuffled_late: Ints
    horizon_bars: int
    rng: np.random.Generator

    @classmethod
    def of(cls, recipe: Recipe, early: Rows, late: Rows, horizon_bars: int, noise: Floats | None = None) -> Traps:
        """Canaries that learn as the model does. `noise` is drawn from the seed; tests bring their own."""
        rng = np.random.default_rng(recipe.seed)
        first, size = len(early.y), len(early.y) + len(late.y)
        shuffled = _same_bar_same_label(early, late, rng.permutation(np.concatenate([early.y, late.y])))
        drawn = rng.normal(size=size) if noise is None else noise
        works = [FitWork(recipe, np.column_stack([early.x, drawn[:first]]), early.y)]
        if len(np.unique(shuffled[:first])) == len(np.unique(shuffled[first:])) == 2:
            works.append(FitWork(recipe, early.x, shuffled[:first]))
        beside_late = np.column_stack([late.x, drawn[first:]])
        return cls(tuple(works), late, beside_late, shuffled[first:], horizon_bars, rng)

    def sprung(self, learnt: Sequence[Classifier]) -> Canaries:
        """What those that learnt the works, in their order, say of later rows."""
        beside, *shuffled = learnt
        late = self.late
        area = 0.5
        if shuffled:
            area = float(roc_auc_score(self.shuffled_late, scores(shuffled[0], late.x)))
        adds = importance(beside, self.beside_late, late.y, (*late.features, NOISE), self.rng)
        return Canaries(area, chance(late.y, self.horizon_bars), adds)


def sung(recipe: Recipe, early: Rows, late: Rows, horizon_bars: int, noise: Floats | None = None) -> Canaries:
    """Train the canaries here, and hear them."""
    traps = Traps.of(recipe, early, late, horizon_bars, noise)
    return traps.sprung([fitted(*work) for work in traps.works])


def chance(y: Ints, horizon_bars: int) -> float:
    """How far from a half the area of a worthless model may be (Hanley and McNeil, 1982, equal distributions)."""
    ones = int(y.sum())
    zeros = len(y) - ones
    if not ones or not zeros:
        return 0.5
    deviation = float(np.sqrt((ones + zeros + 1) / (12.0 * ones * zeros)))
    return min(0.5, DEVIATIONS * deviation * float(np.sqrt(horizon_bars)))


def importance(
    classifier: Classifier, x: Floats, y: Ints, names: tuple[str, ...], rng: np.random.Generator
) -> dict[str, float]:
    """By how much the area under the ROC curve falls when a feature's values are mixed up (Breiman, 2001)."""
    whole = float(roc_auc_score(y, scores(classifier, x)))
    found = {}
    for place, name in enumerate(names):
        mixed = x.copy()
        mixed[:, place] = rng.permutation(mixed[:, place])
        found[name] = whole - float(roc_auc_score(y, scores(classifier, mixed)))
    return found


def _same_bar_same_label(early: Rows, late: Rows, shuffled: Ints) -> Ints:
    """The same bar has the same shuffled label on both sides: a model that has seen what judges it shows here."""
    bars = [bar for part in (early, late) for bar in _bars(part)]
    known: dict[tuple[int, int], int] = {}
    given = [known.setdefault(bar, label) for bar, label in zip(bars, shuffled.tolist(), strict=True)]
    return np.array(given, dtype=np.int64)


def _bars(part: Rows) -> Iterable[tuple[int, int]]:
    return zip(part.ts_ns.tolist(), part.symbol.tolist(), strict=True)
