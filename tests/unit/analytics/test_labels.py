"""Goal: a label says what came of a bar, when that was known, and whether it paid; never more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.models.labels import UNKNOWN, Barriers, Path, forward, meta, triple_barrier

NAN = float("nan")
PRICES = st.lists(st.one_of(st.floats(50, 150), st.just(NAN)), min_size=1, max_size=60)


def path(*bars: tuple[float, float, float]) -> Path:
    high, low, close = (np.array(column) for column in zip(*bars, strict=True))
    return Path(high, low, close)


def test_forward_label_rises_falls_and_is_unknown_at_a_hole_at_rest_and_at_the_end() -> None:
    found = forward(np.array([100.0, 101.0, 99.0, NAN, 99.0, 99.0]), 2)
    assert found.y.tolist() == [0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN]
    assert found.change[0] == pytest.approx(-0.01)
    assert found.end.tolist() == [2, 1, 2, 3, 4, 5]
    assert forward(np.array([99.0, 99.0, 100.0]), 1).y.tolist() == [UNKNOWN, 1, UNKNOWN]


def test_rise_that_does_not_pay_for_the_round_trip_is_no_rise() -> None:
    close = np.array([100.0, 100.1, 100.4, 100.4])
    assert forward(close, 1).y.tolist() == [1, 1, UNKNOWN, UNKNOWN]
    assert forward(close, 1, cost_share=0.002).y.tolist() == [0, 1, 0, UNKNOWN]


def test_first_barrier_that_is_touched_decides() -> None:
    bars = path((100, 100, 100), (101, 99.5, 100.5), (102.5, 100, 102), (103, 97, 98), (98, 98, 98))
    found = triple_barrier(bars, Barriers(0.02, 0.02, 3))
    assert found.y.tolist() == [1, 0, 0, UNKNOWN, UNKNOWN], "the second bar's loss comes with the fourth"
    assert found.end.tolist() == [2, 3, 3, 3, 4]
    assert found.change[:3] == pytest.approx([0.02, -0.02, -0.02])


def test_bar_that_touches_both_barriers_is_a_loss_and_time_ends_what_touches_none() -> None:
    both = path((100, 100, 100), (103, 97, 100))
    assert triple_barrier(both, Barriers(0.02, 0.02, 1)).change[0] == pytest.approx(-0.02)
    none = path((100, 100, 100), (100.6, 99.9, 100.2), (100.8, 100, 100.5))
    found = triple_barrier(none, Barriers(0.02, 0.02, 2))
    assert (found.y[0], found.end[0], found.change[0]) == (1, 2, pytest.approx(0.005))
    assert triple_barrier(none, Barriers(0.02, 0.02, 2), cost_share=0.01).y[0] == 0


def test_hole_before_the_end_leaves_the_outcome_unknown_and_one_behind_it_does_not() -> None:
    bars = path((100, 100, 100), (NAN, NAN, NAN), (105, 100, 104), (104, 104, 104))
    assert triple_barrier(bars, Barriers(0.02, 0.02, 2)).y.tolist()[0] == UNKNOWN
    quick = path((100, 100, 100), (103, 100, 102), (NAN, NAN, NAN))
    assert triple_barrier(quick, Barriers(0.02, 0.02, 2)).y.tolist()[0] == 1


def test_barriers_may_follow_the_volatility_of_each_bar() -> None:
    bars = path((100, 100, 100), (101, 100, 100), (101, 100, 100))
    found = triple_barrier(bars, Barriers(np.array([0.01, 0.05, 0.05]), 0.05, 1))
    assert found.change[:2] == pytest.approx([0.01, 0.0])


def test_following_a_side_pays_only_if_the_price_goes_its_way_by_more_than_the_costs() -> None:
    first = forward(np.array([100.0, 99.0, 100.0, 101.0]), 1)
    found = meta(np.array([-1.0, 1.0, 0.0, 1.0]), first, cost_share=0.005)
    assert found.y.tolist() == [1, 1, UNKNOWN, UNKNOWN]
    assert found.change[:2] == pytest.approx([0.01, 1 / 99])
    assert meta(np.array([1.0, 1.0, 1.0, 1.0]), first, cost_share=0.02).y.tolist() == [0, 0, 0, UNKNOWN]


@given(PRICES, st.integers(1, 10), st.floats(0, 0.05))
def test_forward_label_never_depends_on_what_comes_after_its_end(closes: list[float], bars: int, cost: float) -> None:
    close = np.array(closes)
    whole = forward(close, bars, cost)
    for at in range(len(close)):
        assert whole.end[at] - at in (0, bars)
        cut = forward(close[: whole.end[at] + 1], bars, cost)
        assert cut.y[at] == whole.y[at]


@given(PRICES, st.integers(1, 8), st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_barrier_label_never_depends_on_what_comes_after_its_end(
    closes: list[float], bars: int, up: float, down: float
) -> None:
    close = np.array(closes)
    high, low = close * 1.01, close * 0.99
    whole = triple_barrier(Path(high, low, close), Barriers(up, down, bars))
    for at in range(len(close)):
        assert at <= whole.end[at] <= at + bars
        assert (whole.y[at] == UNKNOWN) == np.isnan(whole.change[at])
        end = whole.end[at] + 1
        cut = triple_barrier(Path(high[:end], low[:end], close[:end]), Barriers(up, down, bars))
        if whole.y[at] != UNKNOWN:
            assert (cut.y[at], cut.change[at]) == (whole.y[at], pytest.approx(whole.change[at]))
