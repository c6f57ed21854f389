"""The kinds of models there are, and how each is made from a seed and a few numbers.

All of them fit on one thread, so that another count of processors changes nothing, and none draws from a generator that
its seed does not start.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from analytics.models.arrays import Floats, Ints
from analytics.models.executor import Executor
from ares.config.training import Family

Params = Mapping[str, float | int]


class Classifier(Protocol):
    """What we use of a scikit-learn classifier."""

    def fit(self, x: Floats, y: Ints) -> object: ...
    def predict_proba(self, x: Floats) -> Floats: ...


@dataclass(frozen=True, slots=True)
class Range:
    """Where a search looks for a number; `log` where its magnitude counts."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model that is not fitted yet."""

    family: Family
    params: Params
    seed: int


DEFAULTS: Mapping[Family, Params] = {
    "logistic": {"C": 0.1},
    "boosting": {"learning_rate": 0.05, "max_iter": 100, "max_leaf_nodes": 15, "l2_regularization": 1.0},
    "forest": {"n_estimators": 100, "max_depth": 6, "min_samples_leaf": 20},
    "ensemble": {},
}
SPACES: Mapping[Family, Mapping[str, Range]] = {
    "logistic": {"C": Range(1e-4, 10.0, log=True)},
    "boosting": {
        "learning_rate": Range(0.01, 0.3, log=True),
        "max_iter": Range(30, 200, whole=True),
        "max_leaf_nodes": Range(3, 31, whole=True),
        "l2_regularization": Range(1e-2, 100.0, log=True),
    },
    "forest": {
        "n_estimators": Range(50, 200, whole=True),
        "max_depth": Range(2, 10, whole=True),
        "min_samples_leaf": Range(5, 200, log=True, whole=True),
    },
    "ensemble": {"C": Range(1e-4, 10.0, log=True), "learning_rate": Range(0.01, 0.3, log=True)},
}


def recipe_of(family: Family, seed: int, params: Params | None = None) -> Recipe:
    """A family with its usual numbers, and those that are given instead."""
    return Recipe(family, {**DEFAULTS[family], **(params or {})}, seed)


def build(recipe: Recipe) -> Classifier:
    """An unfitted model. Logistic regression is cautious: it cannot remember rows, and its score moves smoothly."""
    return cast("Classifier", _MAKERS[recipe.family](recipe.seed, recipe.params))


def fitted(recipe: Recipe, x: Floats, y: Ints) -> Classifier:
    """A model that has learnt these rows."""
    made = build(recipe)
    with one_thread():
        made.fit(x, y)
    return made


class FitWork(NamedTuple):
    """A recipe and the rows to learn."""

    recipe: Recipe
    x: Floats
    y: Ints


def fit_all(works: Sequence[FitWork], executor: Executor) -> list[Classifier]:
    """Models of these rows, wherever they are fitted; their files are the same to the byte wherever that was.

    All went through bytes once: a model that did shares other parts of itself than one that did not, and a file tells.
    """
    made = executor.map(fitted_bytes, works)
    return [cast("Classifier", pickle.loads(each)) for each in made]  # noqa: S301 - bytes of our own processes


def fitted_bytes(work: FitWork) -> bytes:
    """A model that has learnt these rows, as it travels between processes.

    Arrays that travelled have a type of their own that is equal to numpy's and not the same, which a file tells too.
    """
    x, y = np.empty(work.x.shape, dtype=np.float64), np.empty(work.y.shape, dtype=np.int64)
    x[...], y[...] = work.x, work.y
    return pickle.dumps(fitted(work.recipe, x, y), protocol=pickle.HIGHEST_PROTOCOL)


def scores(classifier: Classifier, x: Floats) -> Floats:
    """The probability of a 1 for every row."""
    with one_thread():
        return classifier.predict_proba(x)[:, 1]


def one_thread() -> AbstractContextManager[object]:
    """Sums of floats depend on who adds what: one thread always adds in one order."""
    return cast("AbstractContextManager[object]", threadpool_limits(limits=1))


def _logistic(seed: int, params: Params) -> object:
    regression = LogisticRegression(max_iter=1_000, random_state=seed, **params)
    return make_pipeline(StandardScaler(), regression)


def _boosting(seed: int, params: Params) -> object:
    return HistGradientBoostingClassifier(random_state=seed, early_stopping=False, **params)


def _forest(seed: int, params: Params) -> object:
    return RandomForestClassifier(random_state=seed, n_jobs=1, **params)


def _ensemble(seed: int, params: Params) -> object:
    boosting = {**DEFAULTS["boosting"], **{name: value for name, value in params.items() if name != "C"}}
    logistic = {"C": params.get("C", DEFAULTS["logistic"]["C"])}
    voters = [("logistic", _logistic(seed, logistic)), ("boosting", _boosting(seed, boosting))]
    return VotingClassifier(voters, voting="soft", n_jobs=None)


_MAKERS: Mapping[Family, Callable[[int, Params], object]] = {
    "logistic": _logistic,
    "boosting": _boosting,
    "forest": _forest,
    "ensemble": _ensemble,
}
