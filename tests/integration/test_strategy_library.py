"""Goal: what a strategy of the library wanted on recorded bars, it wants for ever: a new formula is a new version."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from analytics.catalog import definitions
from ares.store import Database, RowWriter
from tests.strategy_library import (
    BUNDLED_FROM,
    EXCUSED,
    LONG_FILE,
    LONG_FROM,
    SILENT_ALONE,
    Change,
    bundled_market,
    changes,
    long_market,
    pin_of,
    pins,
    read_pins,
    start_of,
    strategies,
)

LONG = os.environ.get("ARES_TEST_LIBRARY") == "long"
AGAIN = "a strategy does something else on the same bars: that is a new version, or `make strategy-library PIN=1`"


def row(minute: int, symbol: str, target: float) -> dict[str, object]:
    return {"ts_ns": minute * 60_000_000_000, "symbol": symbol, "target": target}


def test_a_change_of_target_is_held_from_the_next_bars_open_and_below_nought_is_flat() -> None:
    rows = [
        row(0, "A", 0.0),
        row(1, "A", 1.0),
        row(1, "B", -1.0),
        row(2, "A", 1.0),
        row(9, "A", -0.5),
        row(9, "B", 0.25),
    ]
    assert changes(rows, 0) == [Change(2, "A", 1.0), Change(10, "A", 0.0), Change(10, "B", 0.25)]


def test_digest_tells_of_another_minute_symbol_or_target() -> None:
    one = pin_of([Change(2, "A", 1.0)])
    others = {pin_of([Change(3, "A", 1.0)]), pin_of([Change(2, "B", 1.0)]), pin_of([Change(2, "A", 0.9999)])}
    assert len({one, *others}) == 4
    assert one == pin_of([Change(2, "A", 1.00001)]), "the last digits are not what a strategy is"


def test_every_strategy_is_pinned_or_excused() -> None:
    pinned = read_pins("trades")
    assert pinned.keys() == {strategy.view for strategy in strategies()}
    assert pinned.keys() | EXCUSED.keys() == {strategy.view for strategy in definitions("signal")}
    assert all(pin.trades > 0 for pin in pinned.values()), "a strategy that never trades shows nothing"
    assert read_pins("trades_long").keys() == pinned.keys() - SILENT_ALONE


async def test_strategies_do_on_the_bundled_market_what_they_did(
    database: Database, writer: RowWriter, venue: str
) -> None:
    start_ns = start_of(BUNDLED_FROM)
    found = await pins(database, writer, venue, bundled_market(venue, start_ns), start_ns)
    assert found == read_pins("trades"), AGAIN


@pytest.mark.skipif(not LONG, reason="days of bars through every view: make strategy-library")
async def test_strategies_do_on_days_of_a_real_market_what_they_did(
    database: Database, writer: RowWriter, venue: str, shared_data: Path
) -> None:
    file = shared_data / "bars" / LONG_FILE
    if not file.is_file():
        pytest.skip(f"no {file}")
    found = await pins(database, writer, venue, long_market(venue, file), LONG_FROM)
    expected = read_pins("trades_long")
    assert {view: pin for view, pin in found.items() if view in expected} == expected, AGAIN
    assert {pin.trades for view, pin in found.items() if view in SILENT_ALONE} == {0}
