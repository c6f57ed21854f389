"""When bars that were worked out a minute ago may be kept: nothing that they rest on is another."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.facts import BarKey
from analytics.recent import RENEWED_MINUTES_MAX, Basis, Source, basis_of, unbroken, unchanged
from ares.clock import MINUTE_NS

NOW = 1_000 * MINUTE_NS
UNTIL = NOW - 4 * MINUTE_NS


def basis(now_ns: int = NOW, *, back: int = 30, gaps: int = 7, trades: int = 40) -> Basis:
    minutes = {Source("own", now_ns - number * MINUTE_NS): (2, trades) for number in range(1, back)}
    return {Source("now", now_ns): (0, 0), Source("gaps", 0): (gaps, 0), Source("own since", 0): (2, 99), **minutes}


def test_minutes_that_came_and_went_change_nothing() -> None:
    assert unchanged(basis(NOW - MINUTE_NS), basis(), UNTIL)


@pytest.mark.parametrize(
    "other",
    [
        basis(gaps=8),
        basis(trades=41),
        {**basis(), Source("own since", 0): (3, 120)},
        {**basis(), Source("theirs", NOW - 9 * MINUTE_NS): (1, 5)},
        {key: sums for key, sums in basis().items() if key.ts_ns != NOW - 9 * MINUTE_NS},
    ],
    ids=["a gap", "trades", "a symbol", "a candle that came", "a minute that is gone"],
)
def test_what_older_bars_rest_on_is_told_from_what_it_was(other: Basis) -> None:
    assert not unchanged(basis(NOW - MINUTE_NS), other, UNTIL)


def test_what_was_worked_out_long_ago_is_not_kept() -> None:
    assert not unchanged(basis(NOW - RENEWED_MINUTES_MAX * MINUTE_NS), basis(), UNTIL)


@given(st.integers(1, 29), st.booleans())
def test_only_changes_before_the_newest_minutes_count(minute: int, gone: bool) -> None:
    source = Source("own", NOW - minute * MINUTE_NS)
    other = {key: sums for key, sums in basis().items() if not (gone and key == source)}
    if not gone:
        other[source] = (2, 41)
    oldest = gone and minute == 29
    assert unchanged(basis(NOW - MINUTE_NS), other, UNTIL) == (source.ts_ns >= UNTIL or oldest)


def test_what_is_read_of_an_empty_table_counts_nothing() -> None:
    row = {"source": "own since", "ts_ns": 0, "bars": 0, "sum": None}
    assert basis_of([row]) == {Source("own since", 0): (0, 0)}


@given(st.sets(st.integers(0, 20), min_size=1), st.sampled_from(["BTC/USDT", "ETH/USDT"]))
def test_a_missing_minute_is_a_break(minutes: set[int], symbol: str) -> None:
    keys = [BarKey("SOL/USDT", 0), *(BarKey(symbol, number * MINUTE_NS) for number in minutes)]
    assert unbroken(keys) == (minutes == set(range(min(minutes), max(minutes) + 1)))
