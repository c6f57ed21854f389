"""Goal: what leaves an InfluxDB in its own forms is read as it was, whatever it holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given
from hypothesis import strategies as st

from ares.clock import isoformat
from ares.errors import UsageError
from ingest.imports.derived import DERIVED_MIN, PER_MICRO, TOO_MANY, DerivedIds
from ingest.imports.influx_text import AnnotatedCsv, Point, Unread, point_of_line, points_of_lines
from ingest.imports.staging import Staging
from ingest.influx.points import line_of

NAMES = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="\\"), min_size=1, max_size=8).map(
    lambda text: text + ", ="[len(text) % 3] + "z"
)
WORDS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=10)
TAGS = st.dictionaries(NAMES, NAMES, max_size=3)
FIELDS = st.dictionaries(
    NAMES, st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9) | WORDS, min_size=1, max_size=3
)
MOMENTS = st.integers(1_500_000_000_000_000_000, 1_900_000_000_000_000_000)


@given(measurement=NAMES, tags=TAGS, fields=FIELDS, time_ns=MOMENTS)
def test_line_that_we_would_send_is_read_as_what_it_says(
    measurement: str, tags: Mapping[str, str], fields: Mapping[str, float | int | str], time_ns: int
) -> None:
    point = point_of_line(line_of(measurement, tags, fields, time_ns).decode())
    said = {name: repr(value) if isinstance(value, float) else str(value) for name, value in fields.items()}
    assert point == Point(measurement, tags, said, time_ns)


@given(text=st.text(max_size=60))
def test_any_other_line_is_kept_as_unread_or_passed_over(text: str) -> None:
    assert all(isinstance(found, Unread | Point) for found in points_of_lines([text]))
    answer = ["#group,false,false,false,true\n", ",result,table,_time,venue\n", text.replace('"', "") + "\n"]
    with suppress(UsageError):
        assert all(isinstance(found, Unread | Point) for found in AnnotatedCsv().points(answer))


@given(value=WORDS, tag=NAMES, time_ns=MOMENTS, wide=st.booleans())
def test_answer_of_flux_is_read_as_what_it_says(value: str, tag: str, time_ns: int, wide: bool) -> None:
    text = io.StringIO()
    rows = csv.writer(text)
    own = ["id", "price"] if wide else ["_field", "_value"]
    rows.writerow(
        ["#group", "false", "false", "false", *(["false"] * 2 if wide else ["true", "false"]), "true", "true"]
    )
    rows.writerow(["#default", "_result", "", "", "", "", "", ""])
    rows.writerow(["", "result", "table", "_time", *own, "_measurement", "venue"])
    said = [value, "1.5"] if wide else ["id", value]
    rows.writerow(["", "", "0", isoformat(time_ns), *said, "trades", tag])
    fields = {name: cell for name, cell in (("id", value), ("price", "1.5")) if cell} if wide else {"id": value}
    [point] = AnnotatedCsv().points(io.StringIO(text.getvalue(), newline=""))
    assert point == Point("trades", {"venue": tag}, fields, time_ns)


@given(
    said=st.lists(
        st.tuples(st.integers(1, 4), st.sampled_from("ab"), st.sampled_from(["price", "side"]), st.sampled_from("xyz")),
        max_size=30,
    )
)
def test_fields_of_a_point_come_together_in_whatever_order_they_came(said: list[tuple[int, str, str, str]]) -> None:
    expected: dict[tuple[int, str], dict[str, str]] = {}
    for time, series, role, value in said:
        expected.setdefault((time, series), {})[role] = value
    with TemporaryDirectory() as folder:
        staging = Staging(Path(folder) / "points")
        for time, series, role, value in said:
            staging.add([(time, series, {role: value})])
        found = [(time, {role: value for role, value in row.items() if value}) for time, row in staging.rows()]
        assert len(staging) == len(found)
        staging.close()
    assert found == [(time, expected[time, series]) for time, series in sorted(expected)]


@given(times=st.lists(MOMENTS, max_size=30), more=st.lists(st.integers(0, 3_000), max_size=30))
def test_derived_ids_are_unique_grow_with_time_and_do_not_depend_on_where_the_reading_began(
    times: list[int], more: list[int]
) -> None:
    times = sorted([*times, *(times[0] + each for each in more if times)])
    ids = DerivedIds()
    whole = [ids.next(each) for each in times]
    assert whole == sorted(set(whole))
    assert all(seq >= DERIVED_MIN for seq in whole)
    for cut in {each // 1_000 * 1_000 for each in times}:
        later = DerivedIds()
        assert [later.next(each) for each in times if each >= cut] == whole[-sum(each >= cut for each in times) :]


def test_more_trades_than_a_microsecond_has_ids_and_times_before_any_venue_get_none() -> None:
    ids = DerivedIds()
    found = [ids.next(1_704_067_200_000_000_000) for _ in range(PER_MICRO + 2)]
    assert found[-2:] == [TOO_MANY, TOO_MANY]
    assert len(set(found)) == PER_MICRO + 1
    assert DerivedIds().next(1) == TOO_MANY
