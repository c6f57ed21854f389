"""Goal: an observation gets the grade its limits say, and nothing observed is never called good."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares.config.quality import QualityLimit
from ares.errors import ConfigError
from ingest.grading import CHECKS, GRADES, Check, checks_of, grade_of

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_worse_observation_never_gets_a_better_grade(a: float, b: float, c: float, d: float) -> None:
    check = Check("rows", QualityLimit(warn=min(a, b), fail=max(a, b)))
    better, worse = grade_of(min(c, d), check), grade_of(max(c, d), check)
    assert better is not None
    assert worse is not None
    assert GRADES.index(better) <= GRADES.index(worse)


@given(NUMBERS)
def test_what_only_warns_never_fails(observed: float) -> None:
    assert grade_of(observed, CHECKS["off_tick"]) in ("ok", "warn")


def test_nothing_to_judge_is_no_grade_except_where_something_must_be() -> None:
    assert grade_of(None, CHECKS["duplicates"]) is None
    assert grade_of(None, CHECKS["stale"]) == "fail"


@pytest.mark.parametrize("observed", [float("nan"), float("inf")])
def test_an_observation_that_is_no_number_fails(observed: float) -> None:
    assert grade_of(observed, CHECKS["price_jump"]) == "fail"


def test_limits_of_the_settings_replace_those_of_a_check() -> None:
    checks = checks_of({"latency": QualityLimit(warn=1, fail=2)})
    assert grade_of(3, checks["latency"]) == "fail"
    assert checks["stale"].limit == CHECKS["stale"].limit
    assert checks["stale"].required


def test_limits_of_a_check_that_there_is_not_are_refused_by_name() -> None:
    with pytest.raises(ConfigError, match=r"latncy.*Choose of: .*latency"):
        checks_of({"latncy": QualityLimit(warn=1)})


def test_limits_upside_down_are_refused() -> None:
    with pytest.raises(ValueError, match="is above fail"):
        QualityLimit(warn=2, fail=1)
