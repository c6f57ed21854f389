"""What a version of a model learnt from, small enough to stay beside it: the shapes of its features and scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np

from analytics.facts import BarKey, Value, as_matrix
from analytics.models.artifact import artifact_path
from analytics.monitoring.distances import Shape, shape_of
from analytics.serving import Judge
from ares.errors import OperatingError
from ares.files import write_whole

OUT_OF_SAMPLE_ROWS_MIN = 100
FORMAT = 1


class Profile(msgspec.Struct, frozen=True):
    """The shapes of one version. `scores` are of rows that it was not fitted on, if there were enough of them."""

    format: int
    features: Mapping[str, Shape]
    missing: Mapping[str, float]
    scores: Shape | None


def profile_path(state_dir: Path, model: str, version: str) -> Path:
    """Where the profile of a version is kept."""
    return artifact_path(state_dir, model, version).with_suffix(".profile.json")


def profile_of(judge: Judge, features: Mapping[BarKey, Mapping[str, Value]]) -> Profile:
    """The profile of a version by its dataset; of features up to the last bar that it was fitted on."""
    learnt = [values for key, values in features.items() if key.ts_ns <= judge.model.train_to_ns]
    shapes: dict[str, Shape] = {}
    missing: dict[str, float] = {}
    for name in judge.model.features:
        column = finite_column(learnt, name)
        missing[name] = 1.0 - len(column) / len(learnt) if learnt else 1.0
        if len(column):
            shapes[name] = shape_of(column)
    return Profile(FORMAT, shapes, missing, scores_of(judge, features))


def scores_of(judge: Judge, features: Mapping[BarKey, Mapping[str, Value]]) -> Shape | None:
    """The shape of its scores: of a tree they are bolder on what it was fitted on, so later rows are preferred."""
    known = {key: row for key, v in features.items() if (row := as_matrix(v, judge.model.features)) is not None}
    later = [row for key, row in known.items() if key.ts_ns > judge.model.train_to_ns]
    rows = later if len(later) >= OUT_OF_SAMPLE_ROWS_MIN else list(known.values())
    return shape_of(np.array(judge.scorer.probabilities(rows))) if rows else None


def finite_column(rows: list[Mapping[str, Value]], name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """The values of a feature that are numbers."""
    found = [row for values in rows if (row := as_matrix(values, (name,))) is not None]
    return np.array(found, dtype=np.float64).reshape(len(found))


def keep_profile(path: Path, profile: Profile) -> None:
    """Write a profile whole or not at all. Raises `OperatingError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, msgspec.json.encode(profile), 0o644)
    except OSError as error:
        raise OperatingError(f"profile {path} cannot be written: {error.strerror or error}") from None


def kept_profile(path: Path) -> Profile | None:
    """A profile that was kept; None if there is none, or one that cannot be read any more: it can be made again."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Profile)
    except (OSError, msgspec.DecodeError):
        return None
    return found if found.format == FORMAT else None
