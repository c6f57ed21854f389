"""Goal: pages of research tell rows as they are: who is in use, who rests, what is worst, what is known."""

from __future__ import annotations

from datetime import UTC
from typing import cast

from api.console.charts import Ink
from api.console.formats import figure
from api.console.lineage_chart import NODES_MAX, around, chart, drawable
from api.console.pages.data import grid, shares
from api.console.pages.features import described, matching, units_of
from api.console.pages.lineage import ordered, rows_of
from api.console.pages.models import standings, worst_first
from api.console.pages.strategies import paused, traded
from api.console.research import comments, named, series, text_of_view
from ares.model.lineage import Edge, Graph, Node
from ares.store import Record

HOUR_NS = 3_600_000_000_000
INK = Ink.of(dark=True)


def step(ts: int, version: str, event: str) -> Record:
    return {"ts": ts, "model": "direction", "version": version, "event": event, "who": "t", "reason": "", "seq": ts}


def drift(ts: int, grade: str, value: float | None, feature: str = "rsi_14_v1") -> Record:
    return {"ts": ts, "model": "m", "venue": "sim", "grade": grade, "value": value, "fail": 1.0, "feature": feature}


def test_the_newest_step_that_crowns_says_which_version_is_in_use() -> None:
    found = standings([step(4, "a", "rolled_back"), step(3, "b", "demoted"), step(2, "b", "champion")])["direction"]
    assert found.champion is not None
    assert found.champion["version"] == "a"
    assert {name: row["event"] for name, row in found.stages.items()} == {"a": "rolled_back", "b": "demoted"}


def test_a_challenger_stays_one_until_a_later_step_ends_that() -> None:
    stays = standings([step(3, "b", "registered"), step(2, "b", "challenger"), step(1, "a", "champion")])["direction"]
    ended = standings([step(3, "b", "champion"), step(2, "b", "challenger"), step(1, "a", "champion")])["direction"]
    assert stays.challenger is not None
    assert stays.challenger["version"] == "b"
    assert stays.stages["b"]["event"] == "challenger"
    assert ended.challenger is None


def test_of_drift_only_the_newest_look_counts_and_the_worst_is_first() -> None:
    rows = [drift(2, "ok", 0.1), drift(2, "warn", 0.3), drift(2, "ok", 0.2), drift(2, "fail", 2.0), drift(1, "fail", 9)]
    assert [(row["grade"], row["value"]) for row in worst_first([*rows, drift(2, "unknown", None)])] == [
        ("fail", 2.0), ("warn", 0.3), ("unknown", None), ("ok", 0.2), ("ok", 0.1)
    ]  # fmt: skip


def test_a_strategy_rests_by_what_was_said_last_of_it_in_its_account() -> None:
    said: list[Record] = [
        {"stream": "strategy_pause/spot-1", "strategy": "trend", "type": "paused"},
        {"stream": "strategy_pause/spot-2", "strategy": "trend", "type": "resumed"},
    ]
    resting = paused(said)
    assert list(resting) == [("spot-1", "trend")]
    decided: list[Record] = [
        {"account": each, "strategy": "trend", "venue": "sim", "symbol": "BTC/USDT", "state": "ACTIVE", "rule": None,
         "reason": "at_target", "quantity": 1}
        for each in ("spot-1", "spot-2")
    ]  # fmt: skip
    earned: list[Record] = [
        {"account": "spot-2", "strategy": "trend", "venue": "sim", "symbol": "BTC/USDT", "quantity": 2, "pnl_quote": 5}
    ]
    rows = traded(decided, earned, resting)
    assert [(row["state"], row["quantity"], row["pnl_quote"]) for row in rows] == [
        ("paused", 1, None),
        ("ACTIVE", 2, 5),
    ]


def test_values_of_a_series_stand_at_their_moments_and_holes_stay_holes() -> None:
    rows: list[Record] = [
        {"ts": HOUR_NS, "symbol": "B", "target": 0.5},
        {"ts": 0, "symbol": "A", "target": 1.0},
        {"ts": HOUR_NS, "symbol": "A", "target": float("nan")},
    ]
    labels, values = series(rows, ("symbol",), "target", UTC)
    assert labels == ["01-01 00:00", "01-01 01:00"]
    assert values == {"A": [1.0, None], "B": [None, 0.5]}


def test_a_cell_of_coverage_is_the_known_share_and_gaps_are_told_apart_from_quiet() -> None:
    rows: list[Record] = [
        {"ts": 0, "venue": "sim", "symbol": "A", "minutes": 60, "known": 45, "traded": 30},
        {"ts": HOUR_NS, "venue": "sim", "symbol": "B", "minutes": 10, "known": 10, "traded": 10},
    ]
    assert grid(rows, UTC, "hours") == (["00:00", "01:00"], ["B sim", "A sim"], [(0, 1, 0.75), (1, 0, 1.0)])
    assert grid(rows, UTC, "days")[0] == ["1970-01-01", "1970-01-01"]
    worst, best = shares(rows)
    assert (worst["symbol"], worst["traded"], worst["quiet"], worst["gap"]) == ("A", 0.5, 0.25, 0.25)
    assert (best["symbol"], best["gap"]) == ("B", 0.0)


def test_a_feature_is_found_by_every_word_of_a_search_in_whatever_is_known_of_it() -> None:
    value: Record = {"name": "rsi_14", "version": 1, "symbol": "BTC/USDT"}
    units = units_of([
        {"table_name": "rsi_14_v1", "column_name": "value", "unit": "0 to 100"},
        {"table_name": "rsi_14_v1", "column_name": "ts", "unit": "UTC time"},
    ])  # fmt: skip
    row = described(value, units)
    assert (row["view"], row["unit"]) == ("rsi_14_v1", "0 to 100")
    assert row["words"]
    assert matching([row], "BTC rsi") == matching([row], "") == [row]
    assert matching([row], "rsi eth") == []


def test_lineage_shows_both_sides_of_a_thing_and_no_more_than_can_be_read() -> None:
    table, view, signal = Node("table", "trades"), Node("view", "bars"), Node("signal", "trend_v1")
    graph = Graph((Edge(table, view), Edge(view, signal), Edge(table, Node("feature", "apart_v1"))))
    edges = around(graph, view)
    assert {(edge.source, edge.to) for edge in edges} == {(table, view), (view, signal)}
    assert drawable(view, edges) == edges
    (drawn,) = cast("list[dict[str, list[dict[str, object]]]]", chart(view, edges, INK)["series"])
    across = {str(each["id"]): int(str(each["x"])) for each in drawn["data"]}
    assert across["table trades"] < across["view bars"] < across["signal trend_v1"]
    many = [Edge(Node("feature", f"f{n}"), Node("signal", f"s{n}")) for n in range(NODES_MAX)]
    assert drawable(view, [*edges, *many]) == edges
    assert [node.kind for node in ordered(graph)] == ["table", "view", "feature", "signal"]
    assert rows_of(edges)[0]["from_node"] in {"table/trades", "view/bars"}


def test_a_views_text_and_words_are_shown_and_none_of_it_is_markup() -> None:
    shown = text_of_view({"name": "signal_trend_v1", "text": "SELECT '<b>' FROM trades"})
    assert comments()["signal_trend_v1"].partition(":")[0] in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown


def test_a_name_that_nothing_can_have_is_none() -> None:
    assert [named(each) for each in ("signal_trend", "<b>", "a b", "x" * 101)] == ["signal_trend", "", "", ""]


def test_a_figure_keeps_its_digits_and_nothing_is_no_figure() -> None:
    assert [figure(each) for each in (1234.5678, 0.00001234, float("nan"), None)] == [
        "1,234.57",
        "0.00001234",
        "–",
        "–",
    ]
