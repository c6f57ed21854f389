"""Goal: cursors, moments, formats and rates say what they mean, and take nothing else."""

from __future__ import annotations

import asyncio
import csv
import io
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cells import columns, written
from api.formats import Page, accepted
from api.formats import _csv as as_csv
from api.moments import moment_ns
from api.paging import Place, following
from api.rates import Rates
from api.resource import askers_of, pattern
from api.resources import RESOURCES
from api.versions import Version
from ares.clock import isoformat
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import Role, Scope, permissions_of
from ares.store import Record
from ares.testing.clock import SteppedClock

MOMENTS = st.integers(10**18, 9 * 10**18)


@given(MOMENTS, st.integers(0, 1_000_000))
def test_a_cursor_leads_where_it_was_made(until_ns: int, skip: int) -> None:
    assert Place.read(Place(until_ns, skip).text()) == Place(until_ns, skip)


@given(st.text(max_size=50))
def test_a_text_that_is_no_cursor_is_refused_or_leads_somewhere_bounded(text: str) -> None:
    try:
        place = Place.read(text)
    except UsageError:
        return
    assert place.until_ns >= 0 <= place.skip <= 1_000_000


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(1, 7))
def test_pages_give_every_row_once_in_order(moments: list[int], limit: int) -> None:
    there: list[Record] = [{"ts": ts, "n": n} for n, ts in enumerate(sorted(moments, reverse=True))]
    place: Place | None = Place(10)
    found: list[Record] = []
    while place is not None:
        beyond = [row for row in there if int(str(row["ts"])) <= place.until_ns]
        page = beyond[place.skip : place.skip + limit]
        found += page
        place = following(place, page, limit, timed=True)
    assert found == there


@given(MOMENTS)
def test_a_moment_is_read_as_it_was_written(ns: int) -> None:
    assert moment_ns("from", isoformat(ns)) == ns


def test_what_lies_beyond_all_rows_is_the_end_of_what_there_is() -> None:
    assert moment_ns("from", "0001-01-01T00:00:00Z") == 0
    assert moment_ns("to", "9999-12-31T23:59:59Z") == moment_ns("to", "2261-01-01T00:00:00Z") > 9 * 10**18


def test_a_moment_may_have_an_offset() -> None:
    assert moment_ns("from", "2026-11-23T22:05:03.5+02:00") == moment_ns("to", "2026-11-23T20:05:03.500Z")


@pytest.mark.parametrize("text", ["", "now", "2026-11-23", "2026-13-01T00:00:00Z", "2026-11-23T20:05:03"])
def test_what_is_no_moment_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="from = "):
        moment_ns("from", text)


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        ("*/*", "application/json"),
        ("text/csv", "text/csv"),
        ("text/html, text/csv;q=0.9, */*;q=0.1", "text/csv"),
        ("application/json;q=0, text/csv;q=0.1", "text/csv"),
        ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.stream"),
        ("image/png", None),
        ("text/csv;q=nonsense", None),
    ],
)
def test_the_format_is_what_the_caller_likes_best(header: str, chosen: str | None) -> None:
    assert accepted(header) == chosen


def test_cells_are_exact_and_what_is_no_number_is_null() -> None:
    of = columns(time="ts", decimal="price", number="rate", flag="active")
    row: Record = {"ts": 1_796_000_000_123_456_789, "price": Decimal("1E-8"), "rate": float("nan"), "active": False}
    (cells,) = written([row], of)
    assert cells == {"ts": "2026-11-29T20:53:20.123456789Z", "price": "0.00000001", "rate": None, "active": False} | {
        "ts": isoformat(1_796_000_000_123_456_789)
    }


def test_an_amount_below_nothing_is_an_amount_in_csv() -> None:
    body = as_csv(Page(columns(decimal="fee", number="rate"), [{"fee": Decimal("-1.5"), "rate": -0.5}])).decode()
    assert list(csv.DictReader(io.StringIO(body, newline=""))) == [{"fee": "-1.5", "rate": "-0.5"}]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx"])
def test_a_text_that_a_spreadsheet_would_carry_out_is_harmless_in_csv(text: str) -> None:
    body = as_csv(Page(columns(text="reason"), [{"reason": text}])).decode()
    assert list(csv.DictReader(io.StringIO(body, newline=""))) == [{"reason": f"'{text}"}]


def test_a_bucket_lets_through_what_it_has_and_fills_with_time() -> None:
    clock = SteppedClock()
    rates = Rates(clock, lambda: 60)
    assert [rates.spend("maria").passes for _ in range(61)] == [True] * 60 + [False]
    assert rates.spend("joe").passes
    asyncio.run(clock.advance(2))
    assert [rates.spend("maria").passes for _ in range(3)] == [True, True, False]
    dear = Rates(clock, lambda: 60).spend("maria", 1_000)
    assert (dear.passes, dear.left) == (True, 0)


@given(st.frozensets(st.from_regex(r"[A-Za-z0-9_.:/@-]{1,8}", fullmatch=True), max_size=4), st.text(max_size=8))
def test_a_pattern_matches_its_names_and_no_others(names: frozenset[str], other: str) -> None:
    import re  # noqa: PLC0415 - what QuestDB's engine and this one agree on is all that a pattern uses

    assert all(re.search(pattern(names), name) for name in names)
    assert bool(re.search(pattern(names), other)) == (other in names or (not names and not other))


def test_a_deprecated_version_says_until_when_it_is_there_and_what_follows() -> None:
    version = Version(1, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 7, 1, tzinfo=UTC))
    assert version.headers == {
        "API-Version": "1",
        "Deprecation": "@1798761600",
        "Link": '</api/v2>; rel="successor-version"',
        "Sunset": "Thu, 01 Jul 2027 00:00:00 GMT",
    }


def test_what_is_of_none_is_shown_to_all_only_where_it_may_be() -> None:
    fills, alerts, errands = (
        next(each for each in RESOURCES if each.path == path) for path in ("fills", "alerts", "errands")
    )
    maria = Caller("maria", Role.TRADER, permissions_of(Role.TRADER), Scope(accounts=frozenset({"spot-1"})))
    for row, of_fills, of_alerts in (
        ({"account": "spot-1", "strategy": "trend"}, True, True),
        ({"account": "spot-2", "strategy": "trend"}, False, False),
        ({"account": None, "strategy": None}, False, True),
    ):
        assert (fills.sight(maria)(row), alerts.sight(maria)(row)) == (of_fills, of_alerts)
    assert errands.sight(maria)({"asked_by": "maria"})
    assert not errands.sight(maria)({"asked_by": "root"})
    assert errands.confinement(maria.scope, askers_of(maria)) == {"askers": "^(maria)$"}
