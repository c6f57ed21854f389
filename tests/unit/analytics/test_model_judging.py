"""Goal: figures about a model are those of the literature, and luck is told from skill."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.models.calibration import calibration, log_losses, stability_index
from analytics.models.folds import Fold, Times, cut, leaks, walk_forward
from analytics.models.overfit import (
    deflated_sharpe,
    expected_best_sharpe,
    overfit_probability,
    probabilistic_sharpe,
    sharpe,
)
from analytics.models.sequential import compare


def times(count: int, horizon: int) -> Times:
    ts_ns = np.arange(count, dtype=np.int64) * 10
    return Times(ts_ns, ts_ns + horizon * 10)


@given(st.integers(20, 200), st.integers(0, 20), st.integers(1, 6), st.integers(0, 50))
def test_no_fold_learns_what_reaches_into_its_test_or_the_embargo(
    count: int, horizon: int, folds: int, embargo_ns: int
) -> None:
    rows = times(count, horizon)
    found = walk_forward(rows, folds, embargo_ns)
    tested = [int(row) for fold in found for row in fold.test]
    assert tested == sorted(set(tested)), "every row is judged once, in order"
    for fold in found:
        assert leaks(rows, fold, embargo_ns) == 0
        assert rows.end_ns[fold.train].max() + embargo_ns < rows.ts_ns[fold.test].min()


def test_fold_that_learns_of_its_test_is_counted() -> None:
    rows = times(10, 3)
    assert leaks(rows, Fold(np.arange(5), np.arange(5, 10)), 0) == 3
    assert leaks(rows, Fold(np.arange(2), np.arange(5, 10)), 0) == 0
    early, late = cut(rows, 50, 10)
    assert (np.flatnonzero(early).tolist(), np.flatnonzero(late).tolist()) == ([0], [5, 6, 7, 8, 9])


def test_probabilistic_sharpe_is_the_papers_formula() -> None:
    returns = np.array([0.01, -0.005, 0.02, 0.0, 0.015, -0.01, 0.01, 0.005])
    observed = sharpe(returns)
    assert observed == pytest.approx(returns.mean() / returns.std(ddof=1))
    scaled = (returns - returns.mean()) / returns.std()
    wide = 1 - (scaled**3).mean() * observed + ((scaled**4).mean() - 1) / 4 * observed**2
    expected = 0.5 * (1 + math.erf(observed * math.sqrt(7) / math.sqrt(wide) / math.sqrt(2)))
    assert probabilistic_sharpe(returns, 0.0) == pytest.approx(expected)
    assert probabilistic_sharpe(np.zeros(5), 0.0) == 0.0


def test_same_result_is_worth_less_after_more_trials() -> None:
    returns = np.random.default_rng(3).normal(0.05, 1.0, 2_000)
    assert expected_best_sharpe([0.1]) == 0.0
    few = np.random.default_rng(1).normal(0, 0.02, 5).tolist()
    many = few * 100
    assert expected_best_sharpe(many) > expected_best_sharpe(few) > 0
    assert deflated_sharpe(returns, many) < deflated_sharpe(returns, few) < deflated_sharpe(returns, [])


def test_best_of_worthless_trials_is_called_overfit_and_skill_is_not() -> None:
    noise = np.random.default_rng(5).normal(0, 1.0, (800, 12))
    skilled = noise.copy()
    skilled[:, 3] += 0.4
    worthless = overfit_probability(noise)
    good = overfit_probability(skilled)
    assert worthless is not None
    assert good is not None
    assert worthless > 0.3
    assert good == 0.0
    assert overfit_probability(noise[:, :1]) is None


def test_probability_that_says_what_comes_is_calibrated_and_a_loud_one_is_not() -> None:
    rng = np.random.default_rng(2)
    truth = rng.uniform(0.2, 0.8, 20_000)
    y = (rng.random(20_000) < truth).astype(np.int64)
    honest, loud = calibration(y, truth), calibration(y, np.where(truth > 0.5, 0.99, 0.01))
    assert honest.ece < 0.02
    assert loud.ece > 0.2
    assert honest.brier < loud.brier
    assert sum(each.rows for each in honest.bins) == 20_000
    assert [each.said for each in honest.bins] == sorted(each.said for each in honest.bins)


def test_brier_and_log_loss_by_hand() -> None:
    y, scores = np.array([1, 0], dtype=np.int64), np.array([0.8, 0.4])
    assert calibration(y, scores, bins=1).brier == pytest.approx((0.04 + 0.16) / 2)
    assert calibration(y, scores, bins=1).ece == pytest.approx(0.1)
    assert log_losses(y, scores).tolist() == pytest.approx([-math.log(0.8), -math.log(0.6)])
    assert log_losses(y, np.array([0.0, 0.0]))[0] == pytest.approx(-math.log(1e-6))


def test_window_that_moved_has_a_high_stability_index() -> None:
    rng = np.random.default_rng(4)
    before = rng.normal(0, 1, 5_000)
    assert stability_index(before, rng.normal(0, 1, 5_000)) < 0.02
    assert stability_index(before, rng.normal(1, 1, 5_000)) > 0.25
    assert stability_index(np.zeros(100), np.zeros(100)) == 0.0
    halves = stability_index(np.array([0.0] * 50 + [1.0] * 50), np.array([0.0] * 25 + [1.0] * 75))
    assert halves == pytest.approx(-0.25 * math.log(0.5) + 0.25 * math.log(1.5))


def test_better_and_worse_challengers_are_told_early_and_equal_ones_seldom() -> None:
    rng = np.random.default_rng(6)
    champion = rng.normal(0.69, 0.05, 2_000)
    better = compare(champion, champion - rng.normal(0.02, 0.05, 2_000), alpha=0.05)
    worse = compare(champion, champion + rng.normal(0.02, 0.05, 2_000), alpha=0.05)
    assert (better.verdict, worse.verdict) == ("better", "worse")
    assert better.decided_at is not None
    assert better.decided_at < 400
    wrong = [
        compare(champion, champion + rng.normal(0, 0.05, 2_000), alpha=0.05).verdict != "undecided" for _ in range(200)
    ]
    assert sum(wrong) <= 0.05 * 200 + 3 * math.sqrt(200 * 0.05 * 0.95)


def test_overlapping_outcomes_are_not_counted_as_new_ones() -> None:
    rng = np.random.default_rng(8)
    apart = np.repeat(rng.normal(0, 0.05, 400), 5)
    wrong = [compare(np.repeat(rng.normal(0, 0.05, 400), 5), apart * 0, 0.05).verdict for _ in range(40)]
    right = [
        compare(np.repeat(rng.normal(0, 0.05, 400), 5), apart * 0, 0.05, horizon_bars=5).verdict for _ in range(40)
    ]
    assert sum(each != "undecided" for each in right) <= 6 < sum(each != "undecided" for each in wrong)
    assert compare(apart[:20], apart[:20], 0.05).verdict == "undecided"
