"""The boards as Grafana reads them, and what it would make of their statements."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NotRequired, TypedDict

from tests.helpers import ROOT

VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^\)]*)\)")
CHOSEN: Mapping[str, Sequence[str]] = {
    "account": ["paper"],
    "venue": ["sim", "perp"],
    "symbol": ["BTC/USDT", "ETH/USDT"],
    "strategy": ["momentum", "it's mine"],
    "model": ["direction"],
    "chart": ["BTC/USDT"],
    "horizon": ["5"],
    "trace": ["4bf92f3577b34da6a3ce929d0e0e4736"],
}
"""What a person chose on every board; one strategy has a name that must be quoted."""


@dataclass(frozen=True, slots=True)
class Span:
    """The time that a board shows, and into what steps it cuts it."""

    since: datetime
    until: datetime
    interval: str = "5m"


def expanded(sql: str, span: Span, chosen: Mapping[str, Sequence[str]] = CHOSEN) -> str:
    """The text that QuestDB gets: variables as the page puts them in, then the macros of Grafana's PostgreSQL source.

    The macros are those of `pkg/tsdb/postgres/macros.go`, by its own expression; one that it does not know is an error
    there and here. Times are written as Go does it by RFC3339Nano: zeros at the end of a fraction are left out.
    """
    text = with_variables(sql, chosen).replace("$__interval_ms", "300000").replace("$__interval", span.interval)
    return MACRO.sub(lambda found: _macro(found, span), text)


def with_variables(sql: str, chosen: Mapping[str, Sequence[str]] = CHOSEN) -> str:
    """What the page makes of a statement, and Grafana's server gets."""
    return VARIABLE.sub(lambda found: _variable(found, chosen), sql)


def _variable(found: re.Match[str], chosen: Mapping[str, Sequence[str]]) -> str:
    values, form = chosen[found[1]], found[2]
    if form == "sqlstring":
        return ",".join("'" + value.replace("'", "''") + "'" for value in values)
    assert form is None, f"no query of a board writes a variable as {form}"
    assert len(values) == 1, f"{found[1]} may have several values: write it as sqlstring"
    return values[0].replace("'", "''")


def _macro(found: re.Match[str], span: Span) -> str:
    match found[1]:
        case "__timeFrom":
            return f"'{rfc3339_nano(span.since)}'"
        case "__timeTo":
            return f"'{rfc3339_nano(span.until)}'"
        case other:
            raise ValueError(f"${other}(): QuestDB refuses or misreads what Grafana makes of it")


def rfc3339_nano(moment: datetime) -> str:
    text = f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}".rstrip("0").rstrip(".")
    return f"{text}Z"


def last_two_hours(now: datetime) -> Span:
    """A span of which the seeds are a part, whose moments have fractions as a browser's have."""
    return Span(now - timedelta(hours=2, milliseconds=120), now + timedelta(milliseconds=5))


BOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))
SHAPES: Mapping[str, set[str]] = {
    "stat": set(),
    "timeseries": {"number"},
    "table": set(),
    "candlestick": {"time", "number"},
    "bargauge": {"text", "number"},
    "barchart": {"text", "number"},
    "state-timeline": {"time", "text"},
}
"""The kinds of columns without which a panel of a type shows nothing. A board of another type has no test yet."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement of a board. `columns` are those that the panel names; `is_series` as Grafana's format time_series."""

    name: str
    sql: str
    panel_type: str = ""
    is_series: bool = False
    columns: tuple[str, ...] = ()


class Panel(TypedDict):
    """A panel in a board's JSON, as far as tests look at it."""

    id: int
    title: str
    description: str
    type: str
    gridPos: dict[str, int]
    datasource: dict[str, str]
    targets: list[dict[str, str]]
    transformations: NotRequired[list[dict[str, dict[str, object]]]]
    options: NotRequired[dict[str, dict[str, str]]]


def panels(board: Path) -> list[Panel]:
    found: list[Panel] = json.loads(board.read_text(encoding="utf-8"))["panels"]
    return found


def asked_of_panels(board: Path) -> Iterator[Asked]:
    """Every statement of every panel of a board."""
    for panel in panels(board):
        for target in panel["targets"]:
            if "rawSql" not in target:
                continue
            name = f"{board.stem}/{panel['title']}/{target['refId']}"
            shown = panel["type"] if target["refId"] != "limits" else "table"
            picked = tuple(_picked(panel, target["refId"]))
            yield Asked(name, target["rawSql"], shown, target["format"] == "time_series", picked)


def _picked(panel: Panel, ref_id: str) -> Iterator[str]:
    for step in panel.get("transformations", []):
        if step["options"]["configRefId"] == ref_id:
            yield from (each["fieldName"] for each in step["options"]["mappings"])
    fields = panel.get("options", {}).get("reduceOptions", {}).get("fields", "")
    if found := re.fullmatch(r"/\^(\w+)\$/", fields):
        yield found[1]


def marks(board: Path) -> Iterator[Asked]:
    """Every statement that tells what is marked on a board's time axes."""
    for each in json.loads(board.read_text(encoding="utf-8"))["annotations"].get("list", []):
        yield Asked(f"{board.stem}/{each['name']}", each["target"]["rawSql"])


def variables(board: Path) -> Iterator[Asked]:
    """Every statement that tells the values of one of a board's variables."""
    for each in json.loads(board.read_text(encoding="utf-8"))["templating"].get("list", []):
        if each["type"] == "query":
            yield Asked(each["name"], each["query"])


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression of a board to Prometheus, and the legend that names its series by their labels."""

    name: str
    text: str
    legend: str

    def filled(self, rate: str, shown: str) -> str:
        """With windows put in as Grafana would: of a rate, and the whole time that is shown."""
        return self.text.replace("$__rate_interval", rate).replace("$__range", shown)


def expressions(board: Path) -> Iterator[Expression]:
    """Every expression of every panel of a board."""
    for panel in panels(board):
        for target in panel["targets"]:
            if "expr" in target:
                name = f"{board.stem}/{panel['title']}/{target['refId']}"
                yield Expression(name, target["expr"], target["legendFormat"])
