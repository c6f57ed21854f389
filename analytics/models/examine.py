"""Puts a candidate to the test: its file, rows and speed, and whether it can be made again. Arrays in, evidence out.

Whoever asks brings what is recorded about the data; nothing here reads a database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal, TypedDict

import numpy as np
import orjson
from sklearn.metrics import roc_auc_score

from analytics.models.arrays import Floats
from analytics.models.artifact import Model
from analytics.models.calibration import calibration, log_losses, stability_index
from analytics.models.canaries import sung
from analytics.models.direction import Dataset, parted
from analytics.models.earning import earned_by_symbol
from analytics.models.families import Params, Recipe, fitted, scores
from analytics.models.gate import Evidence, Judged
from analytics.models.outcomes import asked_of
from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND
from ares.config.training import Family, TrainingConfig

TIMED_ROWS = 25
WINDOW_SHARE = 0.1
"""The newest rows that drift is looked for in, as a share of all."""


class Fitted(TypedDict):
    """By what a model was fitted, as `training_runs.settings` keeps it."""

    family: Family
    params: dict[str, float | int]
    seed: int
    label: str
    horizon_bars: int
    cost_bps: float
    barrier_share: float
    meta_signal: str | None
    meta_outcome: Literal["forward", "triple_barrier"]
    test_share: float
    embargo_bars: int


def settings_text(recipe: Recipe, config: TrainingConfig) -> str:
    """By what a model was fitted, to be kept beside it."""
    said: Fitted = {
        "family": recipe.family,
        "params": dict(recipe.params),
        "seed": recipe.seed,
        "label": config.label,
        "horizon_bars": config.horizon_bars,
        "cost_bps": config.cost_bps,
        "barrier_share": config.barrier_share,
        "meta_signal": config.meta_signal,
        "meta_outcome": config.meta_outcome,
        "test_share": config.test_share,
        "embargo_bars": config.embargo_bars,
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def settings_of(text: str, config: TrainingConfig) -> tuple[Recipe, TrainingConfig]:
    """How a model was fitted; what was not kept of it is as it is set now."""
    said: dict[str, object] = orjson.loads(text)
    family, params, seed = (said.pop(name) for name in ("family", "params", "seed"))
    then = TrainingConfig.model_validate({**config.model_dump(), **said, "families": (family,), "seed": seed})
    numbers: Params = dict(params) if isinstance(params, dict) else {}
    return Recipe(then.families[0], numbers, then.seed), then


@dataclass(frozen=True, slots=True)
class Subject:
    """A candidate and what is recorded of it. `data` has the model's features; `frame_features` are all there are.

    `recorded`: the fingerprints of its features' views when its data were made; `deployed`: those of now;
    `looks_ahead`: views whose last proof found that they know the future.
    """

    model: Model | None
    artifact: str
    features: Sequence[str]
    data: Dataset
    recipe: Recipe
    config: TrainingConfig
    gaps: str
    quality: str
    data_to_ns: int
    recorded: Mapping[str, str]
    deployed: Mapping[str, str]
    looks_ahead: Sequence[str] = ()

    @property
    def read(self) -> Sequence[str]:
        """The views that it rests on: its features, and the signal that it judges."""
        side = asked_of(self.config).side
        return (*self.features, side) if side else self.features


@dataclass(frozen=True, slots=True)
class Rival:
    """The champion, with rows of its own features over the same time."""

    model: Model
    data: Dataset


def examine(subject: Subject, rival: Rival | None, now_ns: int, monotonic_s: Callable[[], float]) -> Evidence:
    """Everything the gate asks. A candidate without a model that can be loaded is judged by its papers alone."""
    model, data = subject.model, subject.data
    usable = model is not None and data.features == tuple(sorted(model.features)) == tuple(model.features)
    unseen = after(data, model.train_to_ns if model else 0, subject.config) if usable else None
    judged = champion = None
    if model is not None and unseen is not None and enough(unseen):
        shared = unseen if rival is None else shared_rows(unseen, rival.model, subject.config)
        judged = how(model, unseen, subject.config)
        if rival is not None and enough(shared):
            mine, other = together(shared, rival.data)
            judged, champion = how(model, mine, subject.config), how(rival.model, other, subject.config)
    return Evidence(
        artifact=subject.artifact,
        schema=schema_faults(subject),
        leaks=tuple(leaks(subject)) if usable else (),
        gaps=subject.gaps,
        quality=subject.quality,
        age_hours=(now_ns - subject.data_to_ns) / HOUR_NS,
        latency_us=latency_us(model, data.x, monotonic_s) if model and usable and len(data.y) else 0.0,
        drift=drift(subject) if usable else (),
        apart=apart(model, subject) if model and usable else None,
        judged=judged,
        champion=champion,
    )


def after(data: Dataset, train_to_ns: int, config: TrainingConfig) -> Dataset:
    """The rows that a model has not seen, with an embargo behind what it has."""
    return data.part(data.ts_ns > train_to_ns + config.embargo_bars * MINUTE_NS)


def shared_rows(unseen: Dataset, rival: Model, config: TrainingConfig) -> Dataset:
    """Those of them that the champion has not seen either."""
    return after(unseen, rival.train_to_ns, config)


def together(first: Dataset, second: Dataset) -> tuple[Dataset, Dataset]:
    """The same bars of both."""
    places = {bar: place for place, bar in enumerate(_bars(second))}
    pairs = [(place, places[bar]) for place, bar in enumerate(_bars(first)) if bar in places]
    ours, theirs = (np.array(column, dtype=np.int64) for column in zip(*pairs, strict=True)) if pairs else ([], [])
    return first.part(np.asarray(ours, dtype=np.int64)), second.part(np.asarray(theirs, dtype=np.int64))


def enough(data: Dataset) -> bool:
    """Whether anything can be said of these rows."""
    return len(np.unique(data.y)) == 2


def how(model: Model, data: Dataset, config: TrainingConfig) -> Judged:
    """How a model does on rows."""
    said = scores(model.classifier, data.x)
    result = earned_by_symbol(said, data, asked_of(config).terms)
    return Judged(
        len(data.y),
        float(roc_auc_score(data.y, said)) if enough(data) else 0.5,
        float(log_losses(data.y, said).mean()) if len(data.y) else 0.0,
        calibration(data.y, said).ece,
        result.total,
        result.trades,
    )


def schema_faults(subject: Subject) -> tuple[str, ...]:
    """Features that the data have not, views that are not deployed, and those whose text is another."""
    faults = []
    for name in subject.read:
        if name in subject.features and name not in subject.data.features:
            faults.append(f"{name} is not in the data")
        elif name not in subject.deployed:
            faults.append(f"{name} is not deployed")
        elif subject.recorded.get(name) != subject.deployed[name]:
            faults.append(f"{name} has changed")
    return tuple(faults)


def leaks(subject: Subject) -> list[str]:
    """What the canaries learn of the rows that it was fitted on and judged by, and features that look ahead."""
    found = [f"{name} looks ahead" for name in subject.looks_ahead if name in subject.read]
    early, late = parted(subject.data, subject.config)
    if enough(early) and enough(late):
        found += sung(subject.recipe, early, late, subject.config.horizon_bars).alarms
    return found


def drift(subject: Subject) -> tuple[tuple[str, float], ...]:
    """How far each feature is in the newest rows from where it was in those that were learnt from."""
    early, _ = parted(subject.data, subject.config)
    newest = subject.data.part(slice_of_newest(subject.data))
    if not len(early.y) or not len(newest.y):
        return ()
    return tuple(
        (name, stability_index(early.x[:, place], newest.x[:, place]))
        for place, name in enumerate(subject.data.features)
    )


def slice_of_newest(data: Dataset) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """The places of the newest `WINDOW_SHARE` of the rows."""
    count = len(data.y)
    return np.arange(count - max(1, round(count * WINDOW_SHARE)), count)


def latency_us(model: Model, x: Floats, monotonic_s: Callable[[], float]) -> float:
    """The median time of one row's score, microseconds."""
    taken = []
    for place in range(min(TIMED_ROWS, len(x))):
        began_s = monotonic_s()
        model.classifier.predict_proba(x[place : place + 1])
        taken.append(monotonic_s() - began_s)
    return median(taken) * NANOS_PER_SECOND / 1_000


def apart(model: Model, subject: Subject) -> float | None:
    """How far the same fit, made again, is from the model; None if its rows are not there any more."""
    early, late = parted(subject.data, subject.config)
    if not enough(early) or not len(late.y):
        return None
    again = fitted(subject.recipe, early.x, early.y)
    return float(np.abs(scores(again, late.x) - scores(model.classifier, late.x)).max())


def _bars(data: Dataset) -> list[tuple[int, int]]:
    return list(zip(data.ts_ns.tolist(), data.symbol.tolist(), strict=True))
