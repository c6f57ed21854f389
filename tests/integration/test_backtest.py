"""`ares backtest` as a person types it, over rows of a real QuestDB."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from ares.clock import DAY_NS, MINUTE_NS, isoformat
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownName, UnknownSymbol, UsageError
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from backtest.commands import app
from backtest.inputs import Fees, Inputs, Scope
from tests.backtests import START_NS, STRATEGY, SYMBOL
from tests.helpers import settings_file
from tests.integration.test_analytics_real_data import RECORDING, recorded_trades

FEES = Fees(Decimal("0.001"), Decimal("0.001"))
RECORDED_NS = 1_723_161_300_000_000_000
"""2024-08-08T23:55:00Z: the five minutes of the recording."""


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> CliRunner:
    """The command line, configured for the tests' QuestDB and a venue of its own."""
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, "")))
    return CliRunner()


def instrument(venue: str) -> Row:
    grid = {"price_tick": Decimal("0.01"), "amount_step": Decimal("0.00001"), "cost_min": Decimal(5)}
    names = {"venue": venue, "symbol": SYMBOL, "base": "BTC", "quote": "USDT"}
    return Row("instruments", START_NS, names, {**grid, "active": True})


def bar(venue: str, ts_ns: int, prices: tuple[float, float, float, float], revision: int = 0) -> Row:
    opened, high, low, close = prices
    names = {"venue": venue, "symbol": SYMBOL, "interval": "1m", "status": "traded"}
    values = {"open": opened, "high": high, "low": low, "close": close, "volume": 12.0, "revision": revision}
    return Row("bar_facts", ts_ns, names, {**values, "known_at": UtcNs(ts_ns + MINUTE_NS)})


def signal(venue: str, ts_ns: int, target: float, known_after_ns: int = MINUTE_NS + 1_000_000_000) -> Row:
    names = {"venue": venue, "symbol": SYMBOL, "strategy": STRATEGY, "known_at_kind": "live"}
    values = {"version": 1, "revision": 0, "target": target, "confidence": 1.0}
    return Row("signal_values", ts_ns, names, {**values, "known_at": UtcNs(ts_ns + known_after_ns)})


async def written(database: Database, writer: RowWriter, rows: list[Row]) -> None:
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "signal_values", "instruments", "trades"])


async def recorded(database: Database, writer: RowWriter, venue: str) -> None:
    """The recording's own trades and the bars they make, with signals in, out and in again."""
    trades = list(recorded_trades([RECORDING], venue))
    await writer.write(trades)
    rows = [instrument(venue)]
    for minute in range(5):
        start_ns = RECORDED_NS + minute * MINUTE_NS
        prices = [t.price for t in trades if start_ns <= t.ts_ns < start_ns + MINUTE_NS]
        rows.append(bar(venue, start_ns, (prices[0], max(prices), min(prices), prices[-1])))
        rows.append(signal(venue, start_ns, (1.0, 0.0, 1.0, 1.0, 0.0)[minute]))
    await written(database, writer, rows)


async def run(cli: CliRunner, *arguments: str) -> Result:
    words = ["run", STRATEGY, "--position", "4000", *arguments]
    return await asyncio.to_thread(cli.invoke, app, words, catch_exceptions=False)


def span(from_ns: int, to_ns: int) -> list[str]:
    return ["--from", isoformat(from_ns)[:19], "--to", isoformat(to_ns)[:19]]


async def test_recording_is_traded_through_and_the_second_run_is_the_row_of_the_first(
    cli: CliRunner, database: Database, writer: RowWriter, venue: str
) -> None:
    await recorded(database, writer, venue)
    words = [*span(RECORDED_NS, RECORDED_NS + 6 * MINUTE_NS), "--venue", venue, "--json"]
    (first,) = json.loads((await run(cli, *words)).stdout)
    assert first["status"] == "ok"
    assert first["fills"] == 4, "in, out, in, out: the last price stands for a minute after the last trade"
    assert first["fees_quote"] == pytest.approx(16.0, abs=0.1)
    (second,) = json.loads((await run(cli, *words)).stdout)
    assert second["run_id"] == first["run_id"]
    (third,) = json.loads((await run(cli, *words, "--again")).stdout)
    assert third["run_id"] != first["run_id"]
    assert third["fills_hash"] == first["fills_hash"]
    (slow,) = json.loads((await run(cli, *words, "--latency-ms", "900")).stdout)
    assert slow["code_hash"] != first["code_hash"]
    listed = json.loads((await asyncio.to_thread(cli.invoke, app, ["list", "--json"])).stdout)
    assert {first["run_id"], third["run_id"], slow["run_id"]} <= {row["run_id"] for row in listed}
    shown = json.loads((await asyncio.to_thread(cli.invoke, app, ["show", third["run_id"][:13], "--json"])).stdout)
    assert shown[0]["pnl_quote"] == third["pnl_quote"]


async def test_what_cannot_be_tested_is_said_with_the_way_out(
    cli: CliRunner, database: Database, writer: RowWriter, venue: str
) -> None:
    await written(database, writer, [instrument(venue), signal(venue, START_NS, 1.0)])
    day, venue_words = span(START_NS, START_NS + DAY_NS), ("--venue", venue)
    with pytest.raises(UsageError, match="--from, --to: the range is empty"):
        await run(cli, *span(START_NS, START_NS), *venue_words)
    with pytest.raises(UsageError, match="no frozen bars of BTC/USDT"):
        await run(cli, *day, *venue_words)
    with pytest.raises(UnknownSymbol, match="DOGE/USDT"):
        await run(cli, *day, *venue_words, "--symbols", "DOGE/USDT")
    with pytest.raises(UnknownName, match=f"strategy = 'nobody'.*{STRATEGY}_v1"):
        await asyncio.to_thread(cli.invoke, app, ["run", "nobody", *day, *venue_words], catch_exceptions=False)
    with pytest.raises(UsageError, match="--position 4000"):
        await asyncio.to_thread(cli.invoke, app, ["run", STRATEGY, *day, *venue_words], catch_exceptions=False)
    with pytest.raises(UsageError, match="--cash = 'much'"):
        await run(cli, *day, *venue_words, "--cash", "much")
    with pytest.raises(UnknownName, match="no such run"):
        await asyncio.to_thread(cli.invoke, app, ["show", "ffffffff-ffff"], catch_exceptions=False)


async def test_a_day_is_read_at_a_time_and_a_signal_belongs_to_the_day_it_became_known(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig, venue: str
) -> None:
    midnight = START_NS + DAY_NS
    prices = (100.0, 101.0, 99.0, 100.5)
    late = signal(venue, midnight - 2 * MINUTE_NS, 0.5, known_after_ns=5 * MINUTE_NS)
    await written(
        database,
        writer,
        [
            instrument(venue),
            *(bar(venue, midnight + minute * MINUTE_NS, prices) for minute in (-2, -1, 0)),
            bar(venue, midnight, (100.0, 102.0, 98.0, 101.5), revision=1),
            signal(venue, midnight - 3 * MINUTE_NS, 1.0),
            late,
        ],
    )
    scope = Scope(venue, STRATEGY, 1, (SYMBOL,), midnight - 10 * MINUTE_NS, midnight + 10 * MINUTE_NS)
    inputs = Inputs(questdb_config, scope, FEES)

    before, after = inputs.stretches()

    assert (before.to_ns, after.from_ns) == (midnight, midnight)
    assert before.signals[SYMBOL].target.tolist() == [1.0]
    assert after.signals[SYMBOL].target.tolist() == [0.5]
    assert len(before.bars[SYMBOL].ts) == 2
    assert after.bars[SYMBOL].close.tolist() == [101.5], "the newest revision is what the market did"
    assert inputs.instruments()[SYMBOL].price_tick == Decimal("0.01")
    assert inputs.instruments()[SYMBOL].taker_fee == FEES.taker
    one = inputs.data_hash()
    assert inputs.data_hash() == one
    await written(database, writer, [bar(venue, midnight, (100.0, 102.0, 98.0, 101.6), revision=2)])
    assert inputs.data_hash() != one
    assert not np.isnan(after.bars[SYMBOL].open).any()
