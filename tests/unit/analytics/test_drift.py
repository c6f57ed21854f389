"""Goal: what is observed of a version in use is graded by what was set, and what nobody can know is called unknown."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from analytics.facts import BarKey, Value
from analytics.models.outcomes import Asked, outcomes_of
from analytics.monitoring.distances import shape_of
from analytics.monitoring.grading import Foreseen, come_to_pass, feature_drift, performance, score_drift, worst
from analytics.monitoring.profile import (
    FORMAT,
    Profile,
    keep_profile,
    kept_profile,
    profile_of,
    profile_path,
)
from ares.clock import MINUTE_NS
from ares.config.drift import DriftConfig, DriftLimit
from ares.errors import OperatingError
from tests.unit.analytics.test_direction import bar
from tests.unit.analytics.test_serving import judge

BY = DriftConfig(rows_min=100)


def rows_of(count: int, shift: float = 0.0, missing: float = 0.0, seed: int = 1) -> dict[BarKey, dict[str, Value]]:
    rng = random.Random(seed)
    return {
        BarKey("A", n * MINUTE_NS): {
            "a_v1": None if rng.random() < missing else rng.gauss(shift, 1),
            "b_v1": rng.gauss(0, 1),
            "time_of_day_cos_v1": 1.0,
        }
        for n in range(count)
    }


def profile(count: int = 2_000) -> Profile:
    columns = {name: [float(str(row[name])) for row in rows_of(count).values()] for name in ("a_v1", "b_v1")}
    shapes = {name: shape_of(np.array(values)) for name, values in columns.items()}
    shapes["time_of_day_cos_v1"] = shape_of(np.zeros(count))
    return Profile(FORMAT, shapes, {}, shape_of(np.linspace(0.4, 0.6, count)))


def grades(live: dict[BarKey, dict[str, Value]], by: DriftConfig = BY) -> dict[tuple[str, str], str]:
    found = feature_drift(profile(), ("a_v1", "b_v1", "time_of_day_cos_v1"), live, by)
    return {(each.metric, each.feature): each.grade for each in found}


def test_feature_that_moved_fails_and_its_neighbour_does_not() -> None:
    found = grades(rows_of(1_000, shift=2.0, seed=2))
    assert found["psi", "a_v1"] == found["ks", "a_v1"] == "fail"
    assert found["psi", "b_v1"] == found["ks", "b_v1"] == "ok"


def test_feature_that_moved_a_little_warns() -> None:
    by = DriftConfig(rows_min=100, psi=DriftLimit(warn=0.05, fail=5.0))
    assert grades(rows_of(1_000, shift=0.6, seed=2), by)["psi", "a_v1"] == "warn"


def test_feature_that_follows_the_clock_is_only_asked_whether_it_is_there() -> None:
    found = grades(rows_of(1_000))
    assert found["missing_rate", "time_of_day_cos_v1"] == "ok"
    assert ("psi", "time_of_day_cos_v1") not in found


@pytest.mark.parametrize(("missing", "grade"), [(0.0, "ok"), (0.3, "warn"), (0.7, "fail")])
def test_missing_values_are_graded_by_their_share(missing: float, grade: str) -> None:
    assert grades(rows_of(1_000, missing=missing))["missing_rate", "a_v1"] == grade


def test_few_rows_or_none_or_no_profile_are_unknown() -> None:
    assert set(grades(rows_of(99)).values()) == {"unknown"}
    assert set(grades({}).values()) == {"unknown"}
    found = feature_drift(None, ("a_v1",), rows_of(500), BY)
    assert {each.metric: each.grade for each in found} == {"missing_rate": "ok", "psi": "unknown", "ks": "unknown"}


def test_scores_that_crowd_at_one_end_fail() -> None:
    rng = random.Random(1)
    assert score_drift(profile(), [rng.uniform(0.4, 0.6) for _ in range(500)], BY).grade == "ok"
    assert score_drift(profile(), [rng.uniform(0.58, 0.6) for _ in range(500)], BY).grade == "fail"
    assert score_drift(profile(), [], BY).grade == "unknown"
    assert score_drift(None, [0.5] * 500, BY).grade == "unknown"


def test_what_came_to_pass_is_held_against_the_test_of_the_training() -> None:
    rng = random.Random(1)
    scores = [rng.uniform(0.2, 0.8) for _ in range(3_000)]
    honest = [Foreseen(score, int(rng.random() < score)) for score in scores]
    wrong = [Foreseen(score, int(rng.random() > score)) for score in scores]
    trained = 0.65
    assert {each.metric: each.grade for each in performance(honest, trained, BY)} == {
        "calibration": "ok",
        "log_loss": "ok",
    }
    found = performance(wrong, trained, BY)
    assert {each.metric: each.grade for each in found} == {"calibration": "fail", "log_loss": "fail"}
    assert [each.metric for each in worst(found)] == ["calibration", "log_loss"]
    assert found[1].limit.fail == pytest.approx(trained + 0.1)
    assert found[1].told.startswith("log_loss 0.")
    assert {each.grade for each in performance([], trained, BY)} == {"unknown"}


def test_score_is_held_against_the_outcome_of_its_own_label() -> None:
    keys = [BarKey("A", n * MINUTE_NS) for n in range(9)]
    closes = [1.0, 2.0, 3.0, None, 2.0, 2.0, 1.0, 1.0]
    bars = {key: bar(close) for key, close in zip(keys, closes, strict=False)}
    scores = dict.fromkeys(keys, 0.5)
    # 1->3 rose; 2->None, None->2 unknown; 3->2 fell; 2->1 fell twice; the rest is not there yet
    assert [each.came for each in come_to_pass(scores, outcomes_of(bars, Asked(2)))] == [1, 0, 0, 0]
    # the barrier above 2 ends the first label with the second bar; holes leave what reaches them unknown
    barred = come_to_pass(scores, outcomes_of(bars, Asked(2, "triple_barrier", 0.0, 0.5)))
    assert [each.came for each in barred] == [1, 1, 0, 0]
    # who was short won where the price fell
    sides = dict.fromkeys(keys, -1.0)
    followed = come_to_pass(scores, outcomes_of(bars, Asked(2, side="signal_x_v1"), sides))
    assert [each.came for each in followed] == [0, 1, 1, 1]
    assert come_to_pass(scores, outcomes_of(bars, Asked(2, side="signal_x_v1"))) == []


def test_profile_is_of_what_a_version_was_fitted_on_and_reads_back_as_it_was_kept(tmp_path: Path) -> None:
    features = rows_of(1_000, missing=0.1) | {
        BarKey("A", n * MINUTE_NS): {"a_v1": 50.0, "b_v1": 0.0} for n in range(1_000, 1_500)
    }
    version = judge(tmp_path, "v1", train_to_ns=999 * MINUTE_NS)
    made = profile_of(version, features)
    assert max(made.features["a_v1"].quantiles) < 10, "later bars are none of its own"
    assert made.missing["a_v1"] == pytest.approx(0.1, abs=0.03)
    assert made.scores is not None
    assert made.scores.rows == 500, "scores are of later bars"
    path = profile_path(tmp_path, "direction", "v1")
    keep_profile(path, made)
    assert kept_profile(path) == made
    path.write_bytes(b"{")
    assert kept_profile(path) is None
    assert kept_profile(tmp_path / "nowhere") is None


def test_profile_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(OperatingError, match="cannot be written"):
        keep_profile(profile_path(tmp_path, "direction", "v1"), profile(100))


def test_limits_upside_down_are_refused() -> None:
    with pytest.raises(ValueError, match="above fail"):
        DriftLimit(warn=2.0, fail=1.0)
