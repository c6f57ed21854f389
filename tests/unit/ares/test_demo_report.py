"""Goal: the report's quantiles are Prometheus' and its edges are honest."""

from __future__ import annotations

import pytest
from rich.console import Console

from ares.commands.demo_report import quantile_ms, scrape_buckets
from ares.commands.demo_view import Snapshot, one_line, render
from ares.commands.output import cell_text


def test_quantile_is_linear_inside_its_bucket() -> None:
    buckets = {0.01: 50.0, 0.02: 100.0, float("inf"): 100.0}
    assert quantile_ms(buckets, 0.5) == pytest.approx(10)
    assert quantile_ms(buckets, 0.75) == pytest.approx(15)


def test_quantile_beyond_the_last_bound_is_the_last_bound() -> None:
    assert quantile_ms({0.01: 1.0, float("inf"): 100.0}, 0.99) == 10


def test_nothing_observed_is_no_quantile() -> None:
    assert quantile_ms({}, 0.5) is None
    assert quantile_ms({0.01: 0.0, float("inf"): 0.0}, 0.5) is None


def test_service_that_does_not_answer_has_no_buckets(port: int) -> None:
    assert scrape_buckets(f"http://127.0.0.1:{port}/metrics", "x") == {}


def test_screen_shows_what_is_there_and_says_what_is_not() -> None:
    console = Console(record=True, width=160)
    empty = Snapshot()
    console.print(render(empty, 3.0, ["QuestDB console  http://x"], ["a note"]))
    full = Snapshot(
        rates=[{"symbol": "BTC/USDT", "trades_per_s": 12.5, "age_ms": 40}],
        counts={"trades_stored": 1_234_567, "fills": 3},
        signals=[{"strategy": "signal_momentum", "target": 0.25}],
        pnl_quote=-1.5,
    )
    console.print(render(full, 9.0, [], []))
    shown = console.export_text()
    for words in ("waiting for the first trade", "http://x", "a note", "1,234,567", "signal_momentum", "PnL -1.50"):
        assert words in shown
    assert "12.5 trades/s" in one_line(full, 9.0)
    assert "pnl -1.50" in one_line(full, 9.0)
    assert "pnl -" in one_line(empty, 1.0)


def test_cells_for_people_are_short() -> None:
    assert cell_text(None) == ""
    assert cell_text(0.1 + 0.2) == "0.3"
