"""Goal: a compiled model answers as its classifier does, to the last digit that matters, or is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from statistics import median
from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from analytics.models.arrays import Floats
from analytics.models.compiled import (
    CompiledScorer,
    compile_classifier,
    part_of,
    prove_equal,
    sample_rows,
)
from analytics.models.direction import Classifier
from ares.errors import ModelUnusable

FEATURES = 6


def logistic() -> object:
    return make_pipeline(StandardScaler(), LogisticRegression())


def boosted() -> object:
    return HistGradientBoostingClassifier(max_iter=15, early_stopping=False, random_state=1)


def forest() -> object:
    return RandomForestClassifier(20, max_depth=6, random_state=1, n_jobs=1)


def vote() -> object:
    return VotingClassifier([("l", logistic()), ("b", boosted()), ("f", forest())], voting="soft", weights=[1, 2, 1])


FAMILIES: dict[str, Callable[[], object]] = {"logistic": logistic, "boosted": boosted, "forest": forest, "vote": vote}


@cache
def fitted(family: str) -> tuple[Classifier, CompiledScorer]:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(600, FEATURES)) * np.array([1e-6, 1, 1, 1e4, 1, 0]) + np.array([0, 0, 100, 1e6, 0, 3])
    y = (x[:, 1] + (x[:, 2] - 100) * x[:, 4] + rng.normal(size=600) > 0).astype(np.int64)
    classifier = cast("Classifier", FAMILIES[family]())
    classifier.fit(x, y)
    return classifier, compile_classifier(classifier)


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=20)
@given(data=st.data())
def test_every_family_answers_as_its_classifier(family: str, data: st.DataObject) -> None:
    classifier, scorer = fitted(family)
    finite = st.floats(-1e30, 1e30, allow_nan=False)
    row = data.draw(st.lists(finite, min_size=FEATURES, max_size=FEATURES))
    expected = classifier.predict_proba(np.array([row]))[0, 1]
    assert scorer.probabilities([row]) == [pytest.approx(expected, rel=1e-9, abs=1e-15)]


@pytest.mark.parametrize("family", FAMILIES)
def test_many_rows_at_once_are_the_same_as_each_alone(family: str) -> None:
    classifier, scorer = fitted(family)
    rows = sample_rows(part_of(classifier).edges)
    alone = [scorer.probabilities([row])[0] for row in rows.tolist()]
    assert scorer.probabilities(rows.tolist()) == pytest.approx(alone, rel=1e-12)
    assert scorer.probabilities([]) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_scoring_one_row_takes_a_tenth_of_what_the_classifier_takes(family: str) -> None:
    classifier, scorer = fitted(family)
    row = [0.0, 0.1, 100.0, 1e6, 0.2, 3.0]
    array = np.array([row])

    def took(ask: Callable[[], object]) -> float:
        times = []
        for _ in range(15):
            began = time.perf_counter()
            ask()
            times.append(time.perf_counter() - began)
        return median(times)

    assert took(lambda: scorer.probabilities([row])) * 10 < took(lambda: classifier.predict_proba(array))


def test_scorer_that_answers_otherwise_is_refused() -> None:
    classifier, scorer = fitted("boosted")
    rows = sample_rows(part_of(classifier).edges)
    wrong = CompiledScorer(lambda x: scorer.raw(x) * (1 + 1e-7), FEATURES)
    with pytest.raises(ModelUnusable, match="answers otherwise than it"):
        prove_equal(classifier, wrong, rows)
    prove_equal(classifier, scorer, rows)


def test_tree_that_turns_the_wrong_way_on_its_threshold_is_noticed() -> None:
    classifier, scorer = fitted("forest")
    rows = sample_rows(part_of(classifier).edges)

    def a_hair_lower(x: Floats) -> Floats:
        return scorer.raw(np.nextafter(x.astype(np.float32), np.float32(np.inf)).astype(np.float64))

    with pytest.raises(ModelUnusable, match="answers otherwise than it"):
        prove_equal(classifier, CompiledScorer(a_hair_lower, FEATURES), rows)


@pytest.mark.parametrize(
    ("classifier", "why"),
    [
        (GaussianNB(), "none of Pipeline"),
        (make_pipeline(MinMaxScaler(), LogisticRegression()), "a pipeline of MinMaxScaler, LogisticRegression"),
        (VotingClassifier([("l", logistic())], voting="hard"), "'hard' and not 'soft'"),
        (HistGradientBoostingClassifier(categorical_features=[0], max_iter=2, min_samples_leaf=1), "with categories"),
    ],
)
def test_classifier_of_another_kind_is_refused_by_name(classifier: Classifier, why: str) -> None:
    classifier.fit(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([0, 1, 0, 1]))
    with pytest.raises(ModelUnusable, match=why):
        compile_classifier(classifier)


def test_classifier_of_other_outcomes_is_refused() -> None:
    classifier = cast("Classifier", logistic())
    classifier.fit(np.array([[0.0], [1.0]]), np.array([1, 2]))
    with pytest.raises(ModelUnusable, match="not 0 and 1"):
        compile_classifier(classifier)


def test_row_of_another_width_is_a_programmers_error() -> None:
    _, scorer = fitted("logistic")
    with pytest.raises(AssertionError):
        scorer.probabilities([[1.0, 2.0]])
