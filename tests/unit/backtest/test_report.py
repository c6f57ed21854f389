"""The page of a backtest: whole, closed in itself, and safe against what names hold."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import orjson
import pytest

from ares.clock import DAY_NS
from backtest.charts import Chart, Line, chart_html, thinned
from backtest.fast.screen import Series
from backtest.figures import figures
from backtest.outcome import Outcome
from backtest.report import report_html, write_report
from tests.unit.backtest.outcomes import BTC, START_NS, daily, fill

VOID = {"meta", "br", "link", "img"}


class Read(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.attributes: list[tuple[str, str]] = []
        self.paths: dict[str, int] = {}
        self.charts: list[list[list[float]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.attributes += given.items()
        if tag == "path":
            self.paths[given["class"]] = self.paths.get(given["class"], 0) + given["d"].count("h0")
        if "data-points" in given:
            self.charts.append(orjson.loads(given["data-points"]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def read(page: str) -> Read:
    reader = Read()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def traded() -> Outcome:
    fills = (
        fill(1.0, "buy", "1", "100", "0.1"),
        fill(2.0, "sell", "0.999", "110", "0.11"),
        fill(3.0, "buy", "1", "100", "0.1"),
    )
    return replace(daily(1_000.0, 1_010.0, 1_009.0, 1_020.0, fills=fills), refusals={"PositionLimit": 3})


def prices() -> Series:
    ts = START_NS + np.arange(4, dtype=np.int64) * DAY_NS
    column = np.array([[100.0], [np.nan], [110.0], [100.0]])
    return Series((BTC,), DAY_NS, ts, column, column, column, column, column)


class Closes:
    """Bars of one symbol."""

    def __init__(self, series: Series) -> None:
        self.ts = series.ts
        self.close = series.close[:, 0]


def test_page_tells_figures_fills_months_hashes_and_settings() -> None:
    outcome = traded()
    page = read(report_html(outcome, figures(outcome), {BTC: Closes(prices())}, {"Taker fee": "0.001"}))
    for told in (
        "trend 1, fast backtest",
        "2024",
        "+2.00%",
        "PositionLimit",
        "d" * 16,
        "c" * 16,
        "Taker fee",
        "3 fills",
    ):
        assert told in page.text
    assert page.paths["buy"] == 2
    assert page.paths["sell"] == 1
    assert "Return of holding" in page.text
    assert page.charts[0][-1] == [(START_NS + 4 * DAY_NS) // 10**9, 1_020.0]


def test_page_needs_nothing_from_anywhere() -> None:
    outcome = traded()
    page = report_html(outcome, figures(outcome), {BTC: Closes(prices())}, {})
    assert re.findall(r"https?:|src=|@import|url\(", page) == []
    assert "default-src 'none'" in page
    assert "prefers-color-scheme:dark" in page
    assert "width=device-width" in page


def test_an_outcome_of_nothing_has_a_page() -> None:
    outcome = daily()
    page = read(report_html(outcome, figures(outcome), {}, {}))
    assert page.charts == []
    assert "There is nothing to draw." in page.text


def test_names_are_text_and_never_part_of_the_page() -> None:
    outcome = traded()
    hostile = '"><script>alert(1)</script>'
    outcome = replace(outcome, tested=replace(outcome.tested, strategy=hostile), refusals={hostile: 1})
    page = report_html(outcome, figures(outcome), {hostile: Closes(prices())}, {hostile: hostile})
    assert "<script>alert" not in page
    assert hostile in read(page).text


def test_the_same_outcome_makes_the_same_page(tmp_path: Path) -> None:
    outcome = traded()
    for name in ("one", "other"):
        write_report(outcome, figures(outcome), {BTC: Closes(prices())}, tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_a_long_line_keeps_its_peaks_and_its_ends() -> None:
    values = np.sin(np.arange(50_000) / 900)
    values[12_345], values[40_001] = 9.0, -7.0
    line = thinned(Line(np.arange(50_000, dtype=np.int64), values), 1_000)
    assert len(line.ts) <= 1_002
    assert (line.values.max(), line.values.min()) == (9.0, -7.0)
    assert (line.ts[0], line.ts[-1]) == (0, 49_999)


@pytest.mark.parametrize("values", [[5.0, 5.0, 5.0], [np.nan, 1.0, 2.0], [np.nan, np.nan, np.nan], []])
def test_flat_and_broken_lines_are_drawn_as_far_as_they_are_known(values: list[float]) -> None:
    drawn = chart_html(Chart("c", [Line(np.arange(len(values), dtype=np.int64), np.array(values))]))
    assert "nan" not in drawn
    assert ("<svg" in drawn) == (np.isfinite(values).sum() > 1)
