"""Goal: a silence is unusual by what the symbol itself did before, never sooner than its own pauses."""

from __future__ import annotations

from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ingest.pace import KNOWN_FROM, Pace

SHORTEST_S, LONGEST_S = 5.0, 30.0

intervals = st.lists(st.floats(0.001, 100), min_size=KNOWN_FROM, max_size=300)


def pace_of(intervals_s: list[float]) -> Pace:
    pace = Pace()
    for moment_s in accumulate([0.0, *intervals_s]):
        pace.saw(moment_s)
    return pace


@given(intervals_s=intervals)
def test_patience_stays_within_its_bounds_and_outlasts_every_pause_of_late(intervals_s: list[float]) -> None:
    patience_s = pace_of(intervals_s).patience_s(SHORTEST_S, LONGEST_S)
    assert SHORTEST_S <= patience_s <= LONGEST_S
    assert patience_s >= min(LONGEST_S, max(intervals_s[-50:]))


@given(intervals_s=st.lists(st.floats(0.001, 100), max_size=KNOWN_FROM - 1))
def test_a_pace_that_is_hardly_known_is_given_the_most_patience(intervals_s: list[float]) -> None:
    assert pace_of(intervals_s).patience_s(SHORTEST_S, LONGEST_S) == LONGEST_S


def test_a_quick_market_is_missed_sooner_than_a_slow_one() -> None:
    quick, slow = pace_of([0.05] * 100), pace_of([1.0] * 100)
    assert quick.patience_s(SHORTEST_S, LONGEST_S) == SHORTEST_S
    assert 19.0 < slow.patience_s(SHORTEST_S, LONGEST_S) < 21.0


def test_the_time_of_an_outage_says_nothing_of_the_pace() -> None:
    pace = pace_of([0.1] * 100)
    before_s = pace.longest_s
    pace.pause()
    pace.saw(10_000.0)
    assert pace.longest_s == before_s
