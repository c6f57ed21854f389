"""Goal: the catalogue tells what is stored of which day, what is missing, and breaks at no empty table."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from analytics.coverage_commands import catalog_app
from analytics.testing import SyntheticMarket
from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.errors import OperatingError, UsageError
from ares.store import Database, RowWriter
from ares.store.migrate import table_statements
from tests.helpers import settings_file
from tests.views.test_definitions import write_settled


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue)))
    return CliRunner()


async def listed(cli: CliRunner, *arguments: str) -> list[dict[str, object]]:
    result = await asyncio.to_thread(cli.invoke, catalog_app, [*arguments, "--json"], catch_exceptions=False)
    rows: list[dict[str, object]] = json.loads(result.stdout)
    return rows


async def test_days_are_told_with_rows_gaps_and_shares_of_minutes(
    cli: CliRunner, database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    market = SyntheticMarket(venue, symbols=(f"{venue}/USDT",))
    (symbol,) = market.symbols
    day_ns = floor_ns(SystemClock().now_ns(), DAY_NS) - DAY_NS
    start_ns = day_ns + HOUR_NS
    trades = market.trades(start_ns, 60)
    gap = market.gap(symbol, start_ns + 30 * MINUTE_NS, start_ns + 40 * MINUTE_NS - 1, "lost", 0)
    await write_settled(database, writer, [*trades, gap, *market.marks(SystemClock().now_ns(), day_ns + 2 * HOUR_NS)])
    drawing = tmp_path / "coverage.svg"
    lines = [
        each
        for each in await listed(cli, "--symbol", symbol, "--days", "2", "--svg", str(drawing))
        if each["venue"] == venue
    ]
    (of_trades,) = [each for each in lines if each["table"] == "trades"]
    assert of_trades["rows"] == len(trades)
    assert of_trades["gaps"] == 1
    assert str(of_trades["first"]).startswith(str(of_trades["day"]))
    shares = [of_trades[status] for status in ("traded", "quiet", "gap")]
    assert shares == pytest.approx([49 / 60, 0, 11 / 60], abs=1e-3), (
        "our first minute is partial, so it counts as a gap"
    )
    assert {"bars_1m", "bars_1h", "gaps", "ingest_watermarks"} <= {str(each["table"]) for each in lines}
    assert f"{venue} {symbol} {of_trades['day']}: traded 81.7%, quiet 0.0%, gap 18.3%" in drawing.read_text()


async def test_empty_tables_and_those_without_symbols_have_a_line_each(cli: CliRunner, database: Database) -> None:
    columns = "(ts TIMESTAMP_NS, venue SYMBOL, symbol SYMBOL) TIMESTAMP(ts) PARTITION BY DAY TTL 1 DAY WAL"
    await database.execute(f"CREATE TABLE all_left_by_ttl {columns}")
    try:
        lines = await listed(cli, "--days", "1")
    finally:
        await database.execute("DROP TABLE all_left_by_ttl")
    assert {each.name for each in table_statements()} | {"bars_1m", "bars_1d"} <= {str(each["table"]) for each in lines}
    (empty,) = [each for each in lines if each["table"] == "all_left_by_ttl"]
    assert (empty["rows"], empty["first"], empty["day"]) == (0, None, None)
    (migrated,) = [each for each in lines if each["table"] == "catalog_columns"]
    assert int(str(migrated["rows"])) > 700


async def test_a_symbol_of_which_nothing_is_stored_and_impossible_days_are_named(cli: CliRunner) -> None:
    nothing = await asyncio.to_thread(cli.invoke, catalog_app, ["--symbol", "NOPE/USDT"])
    assert isinstance(nothing.exception, OperatingError)
    assert "NOPE/USDT" in str(nothing.exception)
    never = await asyncio.to_thread(cli.invoke, catalog_app, ["--days", "0"])
    assert isinstance(never.exception, UsageError)
    assert "days = 0" in str(never.exception)
