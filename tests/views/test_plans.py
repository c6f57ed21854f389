"""Goal: what services ask again and again reads a span of time or the newest rows, never a whole table of ticks."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ares.store import Database, Param
from ares.store.queries import split_queries

ROOT = Path(__file__).resolve().parents[2]
GROWING = (
    *("trades", "quotes", "books", "feature_values", "signal_values", "bar_facts", "predictions"),
    *("decisions", "order_events", "position_events", "equity", "services", "job_runs"),
    *("bars_1m", "venue_bars_1m"),
)
"""Tables that grow with time; the rest stays small: of bars there are days that say since when there are any."""
WHOLE_TABLE = re.compile(r"Frame forward scan on: (\w+)")
ALLOWED = {
    (
        "ingest/queries/recovery.sql",
        "trade_bounds",
    ): "once a start: ids of all that is stored bound what must be fetched",
    ("ingest/queries/imports.sql", "derived"): "once an import: between which times trades came without ids",
    ("analytics/queries/coverage.sql", "whole"): "once an `ares data catalog`, as a person's statement with its bounds",
    ("backtest/queries/inputs.sql", "strategies"): "once a backtest: what there ever were signals of",
    ("ares/commands/demo.sql", "counts"): "once a run of the demo, for its report",
    ("ares/commands/demo.sql", "strategies"): "once a run of the demo, for its report",
    ("ares/commands/demo.sql", "decisions_last"): "LIMIT -n takes the last rows without reading the others",
    ("ares/commands/demo.sql", "stored_up_to"): "once a run of the demo, for its report",
    ("ares/commands/demo.sql", "venue_to_order"): "once a run of the demo, for its report",
}
FILES = sorted(
    path.relative_to(ROOT).as_posix()
    for package in ("ares", "analytics", "backtest", "ingest", "trader")
    for path in (ROOT / package).rglob("*.sql")
    if "queries" in path.parts or path.name == "demo.sql"
)
NOW = datetime.now(UTC)
LISTED, NUMBERED = re.compile(r"IN %\(\w+\)s"), re.compile(r"(?<=CASE )(\S+) %\(\w+\)s END")
PLACEHOLDER = re.compile(r"%\((\w+)\)s")
TEXTS = {"venue", "symbol", "model", "name", "status", "channel", "account", "strategy", "target", "begins"}
NUMBERS = re.compile(r"_max$|_min$|^last_seq$|^rows$|^limit$|_ns$|^version$|^revision$|^minutes$|^warm_up$")


def param(name: str) -> Param:
    """A value of the kind that a placeholder stands for."""
    if name == "table":
        return "trades"
    if name in TEXTS:
        return "x"
    return 5 if NUMBERS.search(name) else NOW


@pytest.mark.parametrize("file", FILES)
async def test_shipped_queries_read_a_span_or_the_newest_rows(database: Database, file: str) -> None:
    whole: list[str] = []
    for name, sql in split_queries((ROOT / file).read_text(encoding="utf-8")).items():
        view = "signal_momentum_v1" if "target" in sql else "return_1m_v1"
        plain = sql.replace("this_view", view).replace("this_source", view)
        plain = plain.replace("this_table", "trades").replace(", these_parameters", "")
        plain = LISTED.sub("IN ('x')", NUMBERED.sub(r"\1 WHEN 'x' THEN 0 END", plain))
        plan = await database.fetch(f"EXPLAIN {plain}", {each: param(each) for each in PLACEHOLDER.findall(plain)})
        text = "\n".join(str(next(iter(row.values()))) for row in plan)
        scanned = sorted({table for table in WHOLE_TABLE.findall(text) if table in GROWING})
        if scanned and (file, name) not in ALLOWED:
            whole.append(f"{name} reads all of {', '.join(scanned)}")
    assert not whole


def test_every_exception_is_still_needed() -> None:
    for file, name in ALLOWED:
        assert name in split_queries((ROOT / file).read_text(encoding="utf-8")), f"{file}: no query {name} any more"


@pytest.mark.parametrize("view", ["signals", "orders_open", "positions", "exposure", "pnl"])
async def test_views_that_are_asked_without_bounds_read_from_the_newest_backwards(
    database: Database, view: str
) -> None:
    plan = await database.fetch(f"EXPLAIN SELECT * FROM {view}")
    text = "\n".join(str(next(iter(row.values()))) for row in plan)
    assert not [table for table in WHOLE_TABLE.findall(text) if table in GROWING]
