"""Goal: what a rehearsed upgrade changes is told by its kind and place, and what it leaves alone is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backup.rehearsal.compare import Difference, Observed, Partition, Table, View, differences, ratios
from backup.rehearsal.rehearse import SHOWN_MAX, Rehearsal

TRADES = Table(
    {"ts": "TIMESTAMP_NS", "price": "DOUBLE"}, {"2026-01-01": Partition(2, "aa"), "2026-01-02": Partition(3, "bb")}
)
BARS = View("view", "valid", 0.01, "")
BEFORE = Observed("9.3.2", 4.0, {"trades": TRADES}, {"bars": BARS}, 2.0)


def test_same_is_no_difference_and_columns_that_came_to_it_are_none_either() -> None:
    more = replace(TRADES, columns={**TRADES.columns, "side": "SYMBOL"})
    assert list(differences(BEFORE, replace(BEFORE, version="9.3.4", tables={"trades": more}))) == []


@pytest.mark.parametrize(
    ("after", "kind", "name"),
    [
        (replace(BEFORE, tables={}), "table", "trades"),
        (replace(BEFORE, tables={"trades": TRADES, "more": TRADES}), "table", "more"),
        (replace(BEFORE, tables={"trades": replace(TRADES, columns={"ts": "TIMESTAMP_NS"})}), "column", "trades.price"),
        (
            replace(BEFORE, tables={"trades": replace(TRADES, partitions={"2026-01-01": Partition(2, "aa")})}),
            "rows",
            "trades 2026-01-02",
        ),
        (
            replace(
                BEFORE,
                tables={"trades": replace(TRADES, partitions={**TRADES.partitions, "2026-01-02": Partition(3, "cc")})},
            ),
            "bytes",
            "trades 2026-01-02",
        ),
        (replace(BEFORE, views={}), "view", "bars"),
        (replace(BEFORE, views={"bars": replace(BARS, error="refused")}), "view", "bars"),
        (replace(BEFORE, views={"bars": replace(BARS, status="invalid")}), "view", "bars"),
    ],
)
def test_what_differs_is_told_by_kind_and_place(after: Observed, kind: str, name: str) -> None:
    assert [(each.kind, each.name) for each in differences(BEFORE, after)] == [(kind, name)]


def test_view_that_did_not_answer_before_either_is_no_difference() -> None:
    broken = replace(BARS, error="refused")
    assert list(differences(replace(BEFORE, views={"bars": broken}), replace(BEFORE, views={"bars": broken}))) == []


def test_times_are_ratios_of_the_same_run() -> None:
    after = replace(BEFORE, start_s=6.0, scan_s=1.0, views={"bars": replace(BARS, seconds=0.02)})
    found = ratios(BEFORE, after)
    assert (found.start, found.scan, found.views) == (1.5, 0.5, 2.0)
    assert ratios(replace(BEFORE, views={}), after).views is None


def test_report_tells_the_first_differences_and_how_many_more() -> None:
    many = [Difference("view", f"v{n}", "two\nlines") for n in range(SHOWN_MAX + 3)]
    report = Rehearsal("9.3.2", "9.3.4", "now", 5 << 20, differences=many)
    assert "  view v0: two lines\n" in report.text()
    assert report.text().endswith("  and 3 more\n")
    assert report.json().count(b'"kind"') == SHOWN_MAX + 3
