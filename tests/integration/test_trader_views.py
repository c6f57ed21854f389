"""Goal: what the trader writes through the journal's mirror can be asked back by its views, marks and all."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ares.clock import DAY_NS, SystemClock, floor_ns, to_datetime
from ares.config.settings import DatabaseConfig
from ares.config.trading import StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.errors import UsageError
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from trader.command_log import Order
from trader.commands import app
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.report import report
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

BTC = "BTC/USDT"
MOMENTUM = "signal_momentum"
CLOCK = SystemClock()
GUIDE = Path(__file__).resolve().parents[2] / "docs/guides/trader/reading-decisions.md"
PROFIT = GUIDE.with_name("profit-and-positions.md")
TABLES = ("decisions", "order_events", "fills", "position_events", "balances", "equity", "trading_state", "commands")


def market(target: float, price: str) -> MarketSeen:
    now_ns, mark = CLOCK.now_ns(), Decimal(price)
    quote = QuoteSeen(mark, mark, now_ns)
    return MarketSeen({(MOMENTUM, 1, BTC): SignalSeen(now_ns, now_ns, target, 1.0)}, {BTC: quote}, {BTC: mark})


async def a_trader(
    control: ControlStore, name: str, venue: PaperVenue, reader: StaticReader, **changes: object
) -> Trader:
    config = TradingConfig(
        account=name,
        venue=name,
        strategies=(StrategyConfig(name=MOMENTUM, max_position_quote=Decimal(4_000)),),
        adopt_balances_to=MOMENTUM,
        cycle_s=0.001,
    ).model_copy(update=changes)
    trader = Trader(
        TraderParts(
            config=config,
            symbols=(BTC,),
            control=control,
            gateway=venue,
            reader=reader,
            clock=CLOCK,
            instance="one",
            request_s_max=1.0,
        )
    )
    await trader.leadership.wait()
    await trader.begin()
    return trader


async def write_outbox(control: ControlStore, writer: RowWriter, database: Database, more: Sequence[Row] = ()) -> None:
    """What the mirror service does."""
    await writer.write([*(entry.row for entry in control.outbox(0, 100_000)), *more])
    await database.wait_applied([*TABLES, "quotes"])


def quote_row(venue: str, bid: float, ask: float) -> Row:
    now_ns = CLOCK.now_ns()
    symbols = {"venue": venue, "symbol": BTC, "ts_source": "receipt"}
    columns = {"update_id": now_ns, "bid": bid, "bid_amount": 1.0, "ask": ask, "ask_amount": 1.0}
    return Row("quotes", now_ns, symbols, {**columns, "received_at": UtcNs(now_ns)})


async def test_a_trade_can_be_asked_back_from_every_table_and_view(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    paper = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    reader = StaticReader(market(1.0, "50000"))
    trader = await a_trader(control, venue, paper, reader)
    (bought,) = await trader.cycle.run()
    assert bought.action == "buy"
    await write_outbox(control, writer, database, [quote_row(venue, 50_999.0, 51_001.0)])
    who = {"who": venue}
    why = await database.fetch_one(
        "SELECT d.action, d.reason, o.state, f.price, p.quantity FROM decisions d"
        " JOIN orders o ON o.order_id = d.client_order_id JOIN fills f ON f.order_id = o.order_id"
        " JOIN positions p ON p.account = f.account AND p.fill_id = f.fill_id WHERE d.account = %(who)s",
        who,
    )
    assert why == {
        "action": "buy",
        "reason": "to_target",
        "state": "FILLED",
        "price": Decimal("50000.0000000000"),
        "quantity": Decimal("0.0799400000"),
    }
    pnl = await database.fetch_one("SELECT mark, unrealised_quote FROM pnl WHERE account = %(who)s", who)
    assert pnl is not None
    assert pnl["mark"] == 51_000.0
    assert pnl["unrealised_quote"] == pytest.approx(0.07994 * 51_000 - 4_000)
    exposure = await database.fetch_one("SELECT * FROM exposure WHERE account = %(who)s", who)
    assert exposure is not None
    assert exposure["worst_case_quote"] == pytest.approx(0.07994 * 51_000)
    assert await database.fetch("SELECT * FROM orders_open WHERE account = %(who)s", who) == []
    equity = await database.fetch_one("SELECT cash, equity_quote FROM equity WHERE account = %(who)s", who)
    assert equity is not None
    assert equity["cash"] == Decimal("17000.0000000000")
    assert equity["equity_quote"] == Decimal("20997.0000000000")


async def test_a_days_report_says_what_was_traded_paid_earned_and_lost(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    paper = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    reader = StaticReader(market(1.0, "50000"))
    trader = await a_trader(control, venue, paper, reader)
    await trader.cycle.run()
    paper.prices[BTC] = Decimal(49_000)
    reader.market = market(1.0, "49000")
    await trader.cycle.run()
    await trader.commander.move_capital(Order("ada", "tranche"), "wire-7", Decimal(-250))
    paper.holdings["USDT"] -= 250
    await trader.account.refresh_balances()
    await trader.cycle.run()
    await write_outbox(control, writer, database, [quote_row(venue, 48_999.0, 49_001.0)])
    today = to_datetime(floor_ns(CLOCK.now_ns(), DAY_NS))
    said = await report(database, venue, today)
    position = trader.ledger.portfolio.position(BTC, MOMENTUM)
    assert [line.strategy for line in said.lines] == [MOMENTUM]
    assert (said.total.fills, said.total.volume, said.total.fees) == (1, Decimal(3_000), Decimal(3))
    assert (said.total.realised, said.total.realised_fifo, said.total.funding) == (0, 0, 0)
    assert said.total.unrealised == position.quantity * 49_000 - position.cost_basis
    assert said.worth.equity_start == Decimal(20_997)
    assert said.worth.equity_end == Decimal(16_750) + position.quantity * 49_000
    assert said.worth.moved == -250
    assert said.worth.drawdown == position.quantity * 1_000, "the withdrawal is no loss"
    yesterday = await report(database, venue, today - timedelta(days=1))
    assert (yesterday.lines, yesterday.total.fills, yesterday.worth.equity_end) == ((), 0, None)


async def test_the_report_command_speaks_json_and_text_and_refuses_days_to_come(
    questdb_config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("host", "pg_port", "http_port"):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(getattr(questdb_config, name)))
    monkeypatch.setenv("ARES_TRADING__ACCOUNT", "nobody")
    run = CliRunner().invoke
    text = await asyncio.to_thread(run, app, ["report", "--day", "2026-01-06"])
    assert "account nobody on 2026-01-06 (UTC), in quote currency" in text.stdout
    assert "equity unknown → unknown" in text.stdout
    spoken = await asyncio.to_thread(run, app, ["report", "--day", "2026-01-06", "--json"])
    assert json.loads(spoken.stdout)["total"]["volume"] == "0"
    refused = await asyncio.to_thread(run, app, ["report", "--day", "2999-01-06"])
    assert isinstance(refused.exception, UsageError)
    assert "--day = 2999-01-06" in str(refused.exception)


async def test_a_flatten_leaves_who_ordered_it_and_what_came_of_it(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    paper = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    trader = await a_trader(control, venue, paper, StaticReader())
    await trader.commander.flatten(Order("ada", "end of test"))
    await write_outbox(control, writer, database)
    who = {"who": venue}
    commands = await database.fetch("SELECT command, actor, status FROM commands WHERE account = %(who)s", who)
    assert [(row["actor"], row["status"]) for row in commands] == [("ada", "received"), ("ada", "done")]
    states = await database.fetch("SELECT state, reason FROM trading_state WHERE account = %(who)s", who)
    assert [row["state"] for row in states] == ["ACTIVE", "HALTED"]
    position = await database.fetch_one("SELECT quantity, cause FROM positions WHERE account = %(who)s", who)
    assert position == {"quantity": Decimal(0), "cause": "fill"}


async def test_every_query_of_the_guides_runs(database: Database) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    queries = re.findall(r"```sql\n(.*?)```", guide, re.DOTALL)
    queries += re.findall(r"```sql\n(.*?)```", PROFIT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(queries) == 6
    for query in queries:
        await database.fetch(query)
