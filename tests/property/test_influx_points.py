"""Goal: rows become points of which none takes another's place, now and after more rows have come."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from ingest.influx.points import SHAPES, Places, line_of, lines_of
from ingest.influx.spans import Span, stretches, whole_times

TIMES = st.lists(st.integers(1_000, 1_030), max_size=30)
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=12)
SPANS = st.lists(st.tuples(st.integers(0, 50), st.integers(1, 40)), max_size=20, unique_by=lambda each: each[0])


def rows_of(times: list[int]) -> list[dict[str, object]]:
    return [
        {"ts_ns": ts_ns, "seq": seq, "trade_id": str(seq), "venue": "v", "symbol": "s", "price": 1.5}
        for seq, ts_ns in enumerate(times)
    ]


def places_of(lines: list[bytes]) -> list[int]:
    return [int(line.rsplit(b" ", 1)[1]) for line in lines]


@given(times=TIMES)
def test_no_two_rows_of_a_series_have_one_place_and_each_stands_at_its_time_or_right_behind_others(
    times: list[int],
) -> None:
    places = places_of(lines_of(SHAPES["trades"], rows_of(times), Places(), 5))
    assert len(set(places)) == len(times)
    for ts_ns, place in zip(sorted(times), places, strict=True):
        assert place >= ts_ns
        assert all(between in places for between in range(ts_ns, place))


@given(times=TIMES, late=st.integers(1_000, 1_030))
def test_a_row_that_comes_late_leaves_no_place_of_before_empty(times: list[int], late: int) -> None:
    before = places_of(lines_of(SHAPES["trades"], rows_of(times), Places(), 5))
    after = places_of(lines_of(SHAPES["trades"], rows_of([*times, late]), Places(), 5))
    assert set(before) < set(after)


@given(times=TIMES, cut=st.integers(1_000, 1_031))
def test_rows_in_pages_get_the_places_that_they_get_at_once(times: list[int], cut: int) -> None:
    rows = sorted(rows_of(times), key=lambda row: int(str(row["ts_ns"])))
    whole = lines_of(SHAPES["trades"], rows, Places(), 5)
    places = Places()
    first = [row for row in rows if int(str(row["ts_ns"])) < cut]
    paged = lines_of(SHAPES["trades"], first, places, 5) + lines_of(SHAPES["trades"], rows[len(first) :], places, 5)
    assert paged == whole


@given(name=WORDS, value=WORDS, tag=WORDS, number=st.floats(), count=st.integers(-(2**63), 2**63 - 1))
def test_whatever_is_said_is_one_line_with_its_place_at_the_end(
    name: str, value: str, tag: str, number: float, count: int
) -> None:
    line = line_of("m", {"venue": tag}, {name or "x": value, "number": number, "count": count}, 7).decode()
    head, _, time = line.rpartition(" ")
    assert time == "7"
    assert ("number=" in head) >= math.isfinite(number)
    assert f"count={count}i" in head
    assert not any(sign in line.split('"')[0] for sign in "\n\r")


@given(spans=SPANS, rows_max=st.integers(1, 60))
def test_spans_go_together_only_where_they_touch_and_within_the_bound(
    spans: list[tuple[int, int]], rows_max: int
) -> None:
    given_spans = [Span(start * 10, start * 10 + 10, rows, 0) for start, rows in sorted(spans)]
    found = stretches(given_spans, rows_max)
    assert [span for each in found for span in each] == given_spans
    for each in found:
        assert len(each) == 1 or sum(span.row_count for span in each) <= rows_max
        assert all(one.end_ns == other.start_ns for one, other in pairwise(each))


@given(times=TIMES, rows_max=st.integers(1, 12))
def test_pages_end_between_times_and_lose_no_row(times: list[int], rows_max: int) -> None:
    stored: list[Mapping[str, object]] = [{"ts_ns": ts_ns, "n": n} for n, ts_ns in enumerate(sorted(times))]
    read: list[Mapping[str, object]] = []
    room, place = rows_max, 0
    while place < len(stored):
        page = stored[place : place + room]
        whole = whole_times(page, room)
        if not whole:
            room *= 2
            continue
        assert place + len(whole) == len(stored) or stored[place + len(whole)]["ts_ns"] != whole[-1]["ts_ns"]
        read += whole
        place += len(whole)
    assert read == stored
