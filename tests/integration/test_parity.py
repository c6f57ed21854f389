"""Goal: a day of live decisions is replayed from a real QuestDB, and each difference has a row and a cause."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.clock import DAY_NS, MINUTE_NS, SystemClock, floor_ns, isoformat
from ares.config import AresConfig, load_config
from ares.config.settings import DatabaseConfig
from ares.errors import OperatingError, UsageError
from ares.model.row import Row
from ares.store import Database, RowWriter
from backtest import outcome
from backtest.exact.drive import decisions_of
from backtest.inputs import Fees, Inputs, Scope
from backtest.parity.commands import parity_app
from backtest.parity.job import compare_day, settings_of
from backtest.parity.reading import Opening
from tests.helpers import settings_file
from tests.integration.test_backtest import STRATEGY, SYMBOL, bar, instrument, signal
from trader.risk import TradingState
from trader.rows import Decision, Identity, decision_row

DAY = floor_ns(SystemClock().now_ns(), DAY_NS) - 2 * DAY_NS
CASH = Decimal(20_000)
TARGETS = (1.0, 0.0, 1.0, 0.0)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch, questdb_config: DatabaseConfig, venue: str, tmp_path: Path) -> AresConfig:
    trading = (
        f"[trading]\nvenue = '{venue}'\naccount = '{venue}'\n"
        f"[[trading.strategies]]\nname = '{STRATEGY}'\nmax_position_quote = 4000\n"
    )
    monkeypatch.setenv("ARES_CONFIG", str(settings_file(tmp_path, questdb_config, venue, trading)))
    return load_config()


def lived(config: AresConfig) -> list[Decision]:
    """What the trader decides on the day that is stored: the same code as live."""
    venue = config.trading.venue
    scope = Scope(venue, STRATEGY, 1, (SYMBOL,), DAY, DAY + DAY_NS)
    inputs = Inputs(config.database, scope, Fees(Decimal("0.001"), Decimal("0.001")))
    tested = outcome.Tested(STRATEGY, 1, venue, (SYMBOL,), DAY, DAY + DAY_NS, CASH, "", "")
    settings = settings_of(config.trading, Opening(CASH, {}, TradingState.ACTIVE), [])
    return decisions_of(settings, tested, inputs.instruments(), inputs.stretches())


@pytest.fixture
async def live(config: AresConfig, database: Database, writer: RowWriter, venue: str) -> list[Decision]:
    """Four minutes in, out, in, out; the third was decided live with half the quantity."""
    rows = [instrument(venue)]
    for minute, target in enumerate(TARGETS):
        at_ns = DAY + minute * MINUTE_NS
        rows += [bar(venue, at_ns, (100.0, 100.5, 99.5, 100.0)), signal(venue, at_ns, target)]
    await writer.write(rows)
    await database.wait_applied(["bar_facts", "signal_values", "instruments"])
    decisions = await asyncio.to_thread(lived, config)
    third = DAY + 2 * MINUTE_NS
    told = [
        replace(each, order_quantity=each.order_quantity / 2)
        if each.signal_ts_ns == third and each.order_quantity
        else each
        for each in decisions
    ]
    who = Identity(venue, venue)
    equity = Row("equity", DAY - 1, {"account": venue, "quote_currency": "USDT"}, {"cash": CASH})
    await writer.write([equity, *(decision_row(who, each) for each in told)])
    await database.wait_applied(["equity", "decisions"])
    return told


async def compared(database: Database, venue: str) -> list[Mapping[str, object]]:
    sql = "SELECT p.ts::long AS ts_ns, p.equal, p.cause, p.live, p.replayed FROM parity p WHERE p.account = %(a)s"
    return list(await database.fetch(f"{sql} ORDER BY p.ts", {"a": venue}))


async def test_decisions_are_compared_signal_by_signal_and_again_as_the_same_rows(
    config: AresConfig, live: list[Decision], database: Database, writer: RowWriter, venue: str
) -> None:
    assert {each.action for each in live} >= {"buy", "sell"}
    day = await compare_day(config, SystemClock(), DAY)
    rows = await compared(database, venue)
    assert day.failed == []
    assert day.compared == len(rows) == len({each.signal_ts_ns for each in live if each.signal_ts_ns})
    different = [row for row in rows if not row["equal"]]
    assert [(row["ts_ns"], row["cause"]) for row in different] == [(DAY + 2 * MINUTE_NS, "unknown")]
    said = [json.loads(str(different[0][name])) for name in ("live", "replayed")]
    assert Decimal(said[0]["order_quantity"]) * 2 == Decimal(said[1]["order_quantity"])

    names = {"account": venue, "actor": "somebody", "command": "order", "status": "done"}
    await writer.write([Row("commands", DAY + MINUTE_NS, names, {"command_id": "order-1", "seq": 1})])
    await database.wait_applied(["commands"])
    assert (await compare_day(config, SystemClock(), DAY)).causes == {"manual": 1}
    assert len(await compared(database, venue)) == len(rows)


@pytest.mark.usefixtures("live")
async def test_command_replays_a_day_and_shows_causes(config: AresConfig) -> None:
    cli, day = CliRunner(), isoformat(DAY)[:10]
    done = await asyncio.to_thread(cli.invoke, parity_app, ["--day", day, "--json"], catch_exceptions=False)
    rows = json.loads(done.stdout)
    assert {(row["equal"], row["cause"]) for row in rows} == {(True, None), (False, "unknown")}
    shown = await asyncio.to_thread(cli.invoke, parity_app, ["--day", day, "--show", "--json"], catch_exceptions=False)
    assert json.loads(shown.stdout) == rows
    today = isoformat(SystemClock().now_ns())[:10]
    assert isinstance((await asyncio.to_thread(cli.invoke, parity_app, ["--day", today])).exception, UsageError)
    empty = await asyncio.to_thread(cli.invoke, parity_app, ["--day", "2020-01-01"])
    assert isinstance(empty.exception, OperatingError)
    assert config.trading.account


async def test_a_strategy_that_has_no_size_is_named_and_not_passed_over(
    config: AresConfig, live: list[Decision]
) -> None:
    assert live
    bare = config.model_copy(update={"trading": config.trading.model_copy(update={"strategies": ()})})
    day = await compare_day(bare, SystemClock(), DAY)
    assert day.compared == 0
    assert STRATEGY in day.failed[0]
