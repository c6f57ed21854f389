"""Goal: a frame holds what was known with each bar and nothing that came later; checks grade what is frozen."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.features.checks import Frozen, observed_of, result_of
from analytics.features.header import Check
from analytics.features.store import KnownBars, Values, put
from ares.clock import MINUTE_NS

Revision = tuple[int, int, int]
BETWEEN = Check("between", 0.0, 1.0, "fail")


@given(
    st.dictionaries(st.integers(0, 20), st.integers(0, 9), min_size=1),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12)), unique=True, max_size=60),
    st.randoms(use_true_random=False),
)
def test_newest_revision_that_was_known_with_the_bar_counts(
    bars: dict[int, int], revisions: list[tuple[int, int]], order: Random
) -> None:
    rows: list[Revision] = [(ts, known, number) for number, (ts, known) in enumerate(revisions)]
    order.shuffle(rows)
    starts = sorted(bars)
    known_bars = KnownBars.of(
        1,
        np.zeros(len(starts), dtype=np.int64),
        np.array(starts, dtype=np.int64) * MINUTE_NS,
        np.array([bars[ts] for ts in starts], dtype=np.int64),
    )
    rows = [row for row in rows if starts[0] <= row[0] <= starts[-1]]
    ts_ns, known_ns, numbers = (np.array([row[at] for row in rows], dtype=np.int64) for at in range(3))
    nought, matrix = np.zeros(len(rows), dtype=np.int64), np.full((len(starts), 1), np.nan, order="F")
    put(matrix, known_bars, Values(nought, nought, ts_ns * MINUTE_NS, known_ns, numbers.astype(float)).by_knowledge())
    column = matrix[:, 0]
    for ts, found in zip(starts, column, strict=True):
        seen = [row for row in rows if row[0] == ts and row[1] <= bars[ts]]
        if seen:
            assert found == max(seen, key=lambda row: row[1])[2]
        else:
            assert np.isnan(found)


@pytest.mark.parametrize(
    ("check", "frozen", "observed", "grade"),
    [
        (BETWEEN, Frozen(9, 0, 0.0, 1.0, 5), 1.0, "ok"),
        (BETWEEN, Frozen(9, 0, -0.5, 1.2, 5), -0.5, "fail"),
        (BETWEEN, Frozen(9, 0, 0.5, 1.2, 5), 1.2, "fail"),
        (BETWEEN, Frozen(9, 9, None, None, 0), None, "ok"),
        (Check("null_share", 0.0, 0.2, "warn"), Frozen(10, 2, 0.0, 1.0, 5), 0.2, "ok"),
        (Check("null_share", 0.0, 0.2, "warn"), Frozen(10, 3, 0.0, 1.0, 5), 0.3, "warn"),
        (Check("distinct", 2.0, float("inf"), "warn"), Frozen(10, 0, 1.0, 1.0, 1), 1.0, "warn"),
        (Check("distinct", 2.0, float("inf"), "warn"), Frozen(10, 0, 1.0, 2.0, 2), 2.0, "ok"),
    ],
)
def test_values_are_graded_by_what_is_furthest_outside(
    check: Check, frozen: Frozen, observed: float | None, grade: str
) -> None:
    assert observed_of(check, frozen) == observed
    assert result_of("a_v1", "BTC/USDT", check, frozen).grade == grade
