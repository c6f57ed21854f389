"""How each family of classifiers becomes arrays. What is read of scikit-learn is what its own `predict_proba` reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from analytics.models.arrays import Floats
from analytics.models.compiled import Part, part_of, positive
from analytics.models.trees import Trees, walker
from ares.errors import ModelUnusable


class _Scaler(Protocol):
    mean_: Floats | None
    scale_: Floats | None


class _Regression(Protocol):
    classes_: object
    coef_: Floats
    intercept_: Floats


class _Nodes(Protocol):
    def __getitem__(self, field: str) -> Floats: ...


class _Predictor(Protocol):
    nodes: _Nodes


class _Boosted(Protocol):
    classes_: object
    n_features_in_: int
    is_categorical_: object | None
    _baseline_prediction: Floats
    _predictors: Sequence[Sequence[_Predictor]]


class _Tree(Protocol):
    children_left: Floats
    children_right: Floats
    feature: Floats
    threshold: Floats
    value: Floats


class _Grown(Protocol):
    tree_: _Tree


class _Forest(Protocol):
    classes_: object
    n_features_in_: int
    estimators_: Sequence[_Grown]


class _Vote(Protocol):
    classes_: object
    voting: str
    weights: Sequence[float] | None
    estimators_: Sequence[object]


def sigmoid(x: Floats) -> Floats:
    """1 / (1 + e^-x), without overflow."""
    with np.errstate(over="ignore"):
        return cast("Floats", 1.0 / (1.0 + np.exp(-x)))


def linear(classifier: object) -> Part:
    """A logistic regression over standardised features."""
    steps = [step for _, step in cast("Sequence[tuple[str, object]]", getattr(classifier, "steps", ()))]
    if len(steps) != 2 or not isinstance(steps[0], StandardScaler) or not isinstance(steps[1], LogisticRegression):
        names = ", ".join(type(step).__name__ for step in steps)
        raise ModelUnusable(f"a pipeline of {names} cannot be asked: only of StandardScaler, LogisticRegression")
    scaler, regression = cast("_Scaler", steps[0]), cast("_Regression", steps[1])
    positive(regression.classes_, "logistic regression")
    weights, intercept = regression.coef_[0].copy(), float(regression.intercept_[0])
    mean = np.zeros(len(weights)) if scaler.mean_ is None else scaler.mean_.copy()
    scale = np.ones(len(weights)) if scaler.scale_ is None else scaler.scale_.copy()
    edges = [np.array([m - s, m, m + s]) for m, s in zip(mean, scale, strict=True)]
    return Part(lambda x: sigmoid(((x - mean) / scale) @ weights + intercept), edges)


def boosted(classifier: object) -> Part:
    """Gradient boosting over histograms: log-odds that add up, one tree a round."""
    model = cast("_Boosted", classifier)
    positive(model.classes_, "gradient boosting")
    if model.is_categorical_ is not None and np.any(np.asarray(model.is_categorical_)):
        raise ModelUnusable("gradient boosting with categories cannot be asked: features are numbers")
    nodes = [each.nodes for (each,) in model._predictors]  # noqa: SLF001 - there is no public door to its trees
    baseline = float(np.ravel(model._baseline_prediction)[0])  # noqa: SLF001 - nor to what they start from
    leaf = [each["is_leaf"].astype(bool) for each in nodes]
    trees = Trees.of(
        [np.where(stop, -1, each["left"].astype(np.int64)) for each, stop in zip(nodes, leaf, strict=True)],
        [each["right"].astype(np.int64) for each in nodes],
        [each["feature_idx"].astype(np.int64) for each in nodes],
        [each["num_threshold"].astype(np.float64) for each in nodes],
        [each["value"].astype(np.float64) for each in nodes],
    )
    walk = walker()

    def raw(x: Floats) -> Floats:
        sums = np.full(len(x), baseline)
        walk(np.ascontiguousarray(x), sums, *trees.arrays)
        return sigmoid(sums)

    return Part(raw, trees.edges(model.n_features_in_))


def forest(classifier: object) -> Part:
    """A random forest: the mean of its leaves' shares. Features are read as single floats, as when it was fitted."""
    model = cast("_Forest", classifier)
    positive(model.classes_, "random forest")
    grown = [each.tree_ for each in model.estimators_]
    trees = Trees.of(
        [tree.children_left.astype(np.int64) for tree in grown],
        [tree.children_right.astype(np.int64) for tree in grown],
        [tree.feature.astype(np.int64) for tree in grown],
        [tree.threshold.astype(np.float64) for tree in grown],
        [tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1) for tree in grown],
    )
    walk, count = walker(), float(len(grown))

    def raw(x: Floats) -> Floats:
        sums = np.zeros(len(x))
        walk(x.astype(np.float32).astype(np.float64), sums, *trees.arrays)
        return cast("Floats", sums / count)

    return Part(raw, trees.edges(model.n_features_in_))


def voting(classifier: object) -> Part:
    """The weighted mean of what others say."""
    model = cast("_Vote", classifier)
    positive(model.classes_, "vote")
    if model.voting != "soft":
        raise ModelUnusable(f"a vote that is {model.voting!r} and not 'soft' has no probability")
    parts = [part_of(each) for each in model.estimators_]
    weights = np.ones(len(parts)) if model.weights is None else np.array(model.weights, dtype=np.float64)
    shares = [float(weight) for weight in weights / weights.sum()]
    edges = [np.concatenate(each) for each in zip(*(part.edges for part in parts), strict=True)]

    def raw(x: Floats) -> Floats:
        return cast("Floats", sum(share * part.raw(x) for share, part in zip(shares, parts, strict=True)))

    return Part(raw, edges)


FAMILIES: Sequence[tuple[type, Callable[[object], Part]]] = (
    (Pipeline, linear),
    (HistGradientBoostingClassifier, boosted),
    (RandomForestClassifier, forest),
    (VotingClassifier, voting),
)
