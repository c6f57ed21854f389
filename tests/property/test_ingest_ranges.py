"""Ranges of ids behave like the set of those ids."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.history import absent_of, pages
from ingest.ranges import IdRanges

SPANS = st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda pair: (pair[0], pair[0] + pair[1]))
STEPS = st.lists(st.tuples(st.booleans(), SPANS), max_size=25)


@given(steps=STEPS, window=SPANS)
def test_ranges_hold_exactly_the_ids_of_a_set(
    steps: list[tuple[bool, tuple[int, int]]], window: tuple[int, int]
) -> None:
    ranges, ids = IdRanges(), set[int]()
    for adding, (first, last) in steps:
        if adding:
            ranges.add(first, last)
            ids |= set(range(first, last + 1))
        else:
            ranges.remove(first, last)
            ids -= set(range(first, last + 1))
    assert [seq for seq in range(90) if seq in ranges] == sorted(ids)
    assert ranges.count() == len(ids)
    assert bool(ranges) is bool(ids)
    spans = ranges.spans()
    assert all(b + 1 < c for (_, b), (c, _) in pairwise(spans))
    inside = [seq for first, last in ranges.within(*window) for seq in range(first, last + 1)]
    assert inside == sorted(ids & set(range(window[0], window[1] + 1)))


def test_an_empty_span_changes_nothing() -> None:
    ranges = IdRanges([(5, 9)])
    ranges.add(4, 3)
    ranges.remove(8, 7)
    assert ranges.spans() == [(5, 9)]


@given(first=st.integers(1, 5_000), length=st.integers(0, 5_000))
def test_pages_cover_a_span_once_newest_first(first: int, length: int) -> None:
    last = first + length
    cut = pages(first, last)
    ids = [seq for low, high in reversed(cut) for seq in range(low, high + 1)]
    assert ids == list(range(first, last + 1))
    assert all(high - low < 1_000 for low, high in cut)


@given(span=SPANS, present=st.sets(st.integers(1, 80)))
def test_absent_ids_are_those_not_present(span: tuple[int, int], present: set[int]) -> None:
    wanted = set(range(span[0], span[1] + 1))
    absent = absent_of(span, sorted(present & wanted))
    assert {seq for first, last in absent for seq in range(first, last + 1)} == wanted - present
