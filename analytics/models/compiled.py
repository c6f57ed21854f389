"""Fitted models as plain arrays, asked in microseconds: scikit-learn checks and copies for longer than it computes.

Against `predict_proba` a row is 30 times as quick for a linear model and hundreds of times for trees; onnxruntime is
near to both (`make bench ONLY=scoring`). numpy serves a linear model, loops that numba compiles serve trees.
Nothing is trusted: a compiled model that does not answer as its classifier does is refused. Only finite features can
be asked about; who asks leaves others out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np

from analytics.models.arrays import Floats
from ares.errors import ModelUnusable

SAMPLE_ROWS = 256
SAMPLE_SEED = 20_260_301
TOLERANCE = 1e-9
"""Relative, between a compiled score and the classifier's own. Both compute in doubles: only the order of sums differs.
"""

Raw = Callable[[Floats], Floats]
"""Rows of features in, the probability of a rise for each out."""


class Askable(Protocol):
    """What we use of a fitted classifier."""

    def predict_proba(self, x: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Part:
    """One compiled classifier, and where in each feature's range its answers change: there it is tried."""

    raw: Raw
    edges: Sequence[Floats]


@dataclass(frozen=True, slots=True)
class CompiledScorer:
    """Answers for one fitted classifier. It holds no state: threads may share it."""

    raw: Raw
    features: int

    def score(self, rows: Floats) -> Floats:
        """The probability of a rise for every row; rows are finite, as many columns as the classifier was fitted on."""
        assert rows.ndim == 2, rows.shape
        assert rows.shape[1] == self.features, rows.shape
        return self.raw(rows)

    def probabilities(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """The same for plain lists."""
        if not rows:
            return []
        found: list[float] = self.score(np.array(rows, dtype=np.float64)).tolist()
        return found


def compile_classifier(classifier: Askable) -> CompiledScorer:
    """A classifier in the form that is asked, warm and proved equal. Raises `ModelUnusable`."""
    part = part_of(classifier)
    scorer = CompiledScorer(part.raw, len(part.edges))
    prove_equal(classifier, scorer, sample_rows(part.edges))
    return scorer


def part_of(classifier: object) -> Part:
    """The compiled form by the classifier's family. Raises `ModelUnusable`."""
    from analytics.models.compiling import FAMILIES  # noqa: PLC0415 - scikit-learn's ensembles take a second to import

    for family, compiled in FAMILIES:
        if isinstance(classifier, family):
            return compiled(classifier)
    names = ", ".join(family.__name__ for family, _ in FAMILIES)
    raise ModelUnusable(f"a model of {type(classifier).__name__} cannot be asked: it is none of {names}")


def sample_rows(edges: Sequence[Floats]) -> Floats:
    """Rows to try a model with: on its edges, a hair beside them, between and far beyond."""
    rng = np.random.default_rng(SAMPLE_SEED)
    columns = []
    for found in edges:
        points = found if len(found) else np.zeros(1)
        middle, spread = float(points.mean()), float(points.std()) or 1.0
        drawn = rng.choice(points, SAMPLE_ROWS)
        near = np.nextafter(drawn, rng.choice([-np.inf, np.inf], SAMPLE_ROWS))
        wide = rng.normal(middle, 3.0 * spread, SAMPLE_ROWS)
        which = rng.integers(0, 3, SAMPLE_ROWS)
        columns.append(np.choose(which, [drawn, near, wide]))
    return np.stack(columns, axis=1)


def prove_equal(classifier: Askable, scorer: CompiledScorer, rows: Floats) -> None:
    """Ask both about the same rows, all at once and one by one. Raises `ModelUnusable` where they disagree."""
    expected = classifier.predict_proba(rows)[:, 1]
    alone = np.concatenate([scorer.score(row[None, :]) for row in rows[:8]])
    for found, wanted in ((scorer.score(rows), expected), (alone, expected[:8])):
        if not np.allclose(found, wanted, rtol=TOLERANCE, atol=1e-15):
            worst = float(np.abs(found - wanted).max())
            raise ModelUnusable(
                f"the compiled {type(classifier).__name__} answers otherwise than it: by up to {worst:g}"
            )


def positive(classes: object, family: str) -> None:
    """Both outcomes in the order in which we read them. Raises `ModelUnusable`."""
    if list(cast("Sequence[int]", classes)) != [0, 1]:
        raise ModelUnusable(f"a {family} that knows the outcomes {classes} and not 0 and 1 cannot be asked")
