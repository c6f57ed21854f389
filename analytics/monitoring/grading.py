"""What is observed of a version in use, and what grade it gets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from analytics.facts import BarKey, Value
from analytics.models.arrays import Floats, Ints
from analytics.models.calibration import BINS, calibration, log_losses
from analytics.models.outcomes import Outcome
from analytics.monitoring.distances import ks, psi
from analytics.monitoring.profile import Profile, finite_column
from ares.config.drift import DriftConfig, DriftLimit

Metric = Literal["psi", "ks", "missing_rate", "score_psi", "calibration", "log_loss"]
Grade = Literal["ok", "warn", "fail", "unknown"]
GRADES: Sequence[Grade] = ("ok", "warn", "fail", "unknown")
WHOLE = ""
"""Stands for the feature of what is observed of a model as a whole."""
CALIBRATION_ROWS = 200
"""Rows a bin: with fewer the error of calibration is mostly that of the sample."""

Features = Mapping[BarKey, Mapping[str, Value]]


@dataclass(frozen=True, slots=True)
class Observation:
    """One figure of one version, of how many rows, and its grade by these limits."""

    metric: Metric
    feature: str
    value: float | None
    rows: int
    limit: DriftLimit
    grade: Grade

    @property
    def told(self) -> str:
        """The figure for people."""
        name = f"{self.metric} of {self.feature}" if self.feature else self.metric
        return (
            f"{name} {'not known' if self.value is None else format(self.value, '.3g')} (fail > {self.limit.fail:.3g})"
        )


class Foreseen(NamedTuple):
    """A score whose outcome is known, and what that was: 1 or 0."""

    score: float
    came: int


def graded(metric: Metric, feature: str, value: float | None, rows: int, limits: tuple[DriftLimit, int]) -> Observation:
    """An observation by its limits and by how many rows it needs at least."""
    limit, rows_min = limits
    if value is None or rows < rows_min:
        return Observation(metric, feature, value, rows, limit, "unknown")
    grade: Grade = "fail" if value > limit.fail else "warn" if value > limit.warn else "ok"
    return Observation(metric, feature, value, rows, limit, grade)


def feature_drift(profile: Profile | None, names: Sequence[str], live: Features, by: DriftConfig) -> list[Observation]:
    """Of every feature that a version asks for: how far it moved, and how often it is missing."""
    rows = list(live.values())
    found: list[Observation] = []
    for name in names:
        column = finite_column(rows, name)
        missing = 1.0 - len(column) / len(rows) if rows else None
        found.append(graded("missing_rate", name, missing, len(rows), (by.missing_rate, by.rows_min)))
        shape = None if profile is None else profile.features.get(name)
        if any(name.startswith(each) for each in by.clock_features):
            continue
        for metric, distance, limit in (("psi", psi, by.psi), ("ks", ks, by.ks)):
            value = distance(shape, column) if shape is not None and len(column) else None
            found.append(graded("psi" if metric == "psi" else "ks", name, value, len(column), (limit, by.rows_min)))
    return found


def score_drift(profile: Profile | None, scores: Sequence[float], by: DriftConfig) -> Observation:
    """How far what a version says moved from what it said when it was judged."""
    shape = None if profile is None else profile.scores
    value = psi(shape, np.array(scores)) if shape is not None and scores else None
    return graded("score_psi", WHOLE, value, len(scores), (by.score_psi, by.rows_min))


def performance(outcomes: Sequence[Foreseen], trained_log_loss: float, by: DriftConfig) -> list[Observation]:
    """How well a version foresaw what has come to pass; its log-loss is held against that of its own test."""
    rows = len(outcomes)
    worse = DriftLimit(warn=trained_log_loss + by.log_loss_worse.warn, fail=trained_log_loss + by.log_loss_worse.fail)
    if not rows:
        return [
            graded("calibration", WHOLE, None, 0, (by.calibration, by.rows_min)),
            graded("log_loss", WHOLE, None, 0, (worse, by.rows_min)),
        ]
    scores: Floats = np.array([each.score for each in outcomes])
    came: Ints = np.array([each.came for each in outcomes], dtype=np.int64)
    bins = max(1, min(BINS, rows // CALIBRATION_ROWS))
    ece, loss = calibration(came, scores, bins).ece, float(log_losses(came, scores).mean())
    return [
        graded("calibration", WHOLE, ece, rows, (by.calibration, by.rows_min)),
        graded("log_loss", WHOLE, loss, rows, (worse, by.rows_min)),
    ]


def come_to_pass(scores: Mapping[BarKey, float], outcomes: Mapping[BarKey, Outcome]) -> list[Foreseen]:
    """Scores whose outcome is known, by the version's own label."""
    return [Foreseen(score, outcomes[key].y) for key, score in scores.items() if key in outcomes]


def worst(found: Sequence[Observation]) -> list[Observation]:
    """Those that fail."""
    return [each for each in found if each.grade == "fail"]
