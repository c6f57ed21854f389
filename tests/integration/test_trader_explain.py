"""Goal: from an order's id alone SQL tells the way from the tick to the fill, its delays, and what is missing of it."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from ares.clock import MINUTE_NS, NANOS_PER_MILLI, SystemClock, floor_ns
from ares.config.settings import DatabaseConfig
from ares.config.trading import ExecutionConfig, ProtectionConfig, RiskConfig
from ares.control import ControlStore
from ares.errors import UnknownName
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from tests.integration.test_trader_views import BTC, MOMENTUM, TABLES, a_trader, write_outbox
from trader.command_log import Order
from trader.commands import app
from trader.explain import PROTECTS, Leg, explain
from trader.manual_words import Wish
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import PaperVenue, StaticReader

CLOCK = SystemClock()
ADA = Order("ada", "hedge")
MODEL = "direction-20261123"
KNOWN = ("trades", "bar_facts", "feature_values", "signal_values", "predictions")


def facts(venue: str, bar_ns: int, model: str | None) -> list[Row]:
    """What analytics froze of a minute, and the last trades in it; a later revision that nobody could know yet."""
    closed_ns = bar_ns + MINUTE_NS

    def frozen(table: str, ms: int, symbols: dict[str, str], columns: dict[str, float | int | str]) -> Row:
        known = {"known_at": UtcNs(closed_ns + ms * NANOS_PER_MILLI)}
        return Row(
            table, bar_ns, {"venue": venue, "symbol": BTC, "known_at_kind": "live", **symbols}, {**columns, **known}
        )

    def trade(number: int, second: int) -> Row:
        at_ns = bar_ns + second * 1_000 * NANOS_PER_MILLI
        columns = {
            "trade_id": str(number),
            "seq": number,
            "price": 50_000.0,
            "amount": 0.1,
            "received_at": UtcNs(at_ns),
        }
        return Row("trades", at_ns, {"venue": venue, "symbol": BTC, "side": "buy", "source": "stream"}, columns)

    feature = {"name": "momentum_15"}
    wish = {"strategy": MOMENTUM} | ({} if model is None else {"model_version": model})
    return [
        *(trade(1, 3), trade(2, 59)),
        frozen(
            "bar_facts", 200, {"interval": "1m", "status": "traded"}, {"revision": 0, "close": 50_000.0, "trades": 2}
        ),
        frozen("feature_values", 210, feature, {"version": 1, "revision": 0, "value": 0.25}),
        frozen("feature_values", 99_000, feature, {"version": 1, "revision": 1, "value": 0.75}),
        frozen("predictions", 220, {"model": "direction", "version": MODEL}, {"score": 0.6}),
        frozen("signal_values", 250, wish, {"version": 1, "revision": 0, "target": 1.0, "confidence": 0.9}),
        frozen("signal_values", 99_500, wish, {"version": 1, "revision": 1, "target": -1.0, "confidence": 0.9}),
    ]


async def bought(
    control: ControlStore,
    venue: str,
    writer: RowWriter,
    database: Database,
    model: str | None,
    **changes: object,
) -> tuple[Trader, str]:
    """A trader that bought by a signal whose every row is there; and the order's id."""
    now_ns = CLOCK.now_ns()
    bar_ns = floor_ns(now_ns, MINUTE_NS) - 2 * MINUTE_NS
    signal = SignalSeen(bar_ns, bar_ns + MINUTE_NS + 250 * NANOS_PER_MILLI, 1.0, 0.9)
    mark = Decimal(50_000)
    seen = MarketSeen({(MOMENTUM, 1, BTC): signal}, {BTC: QuoteSeen(mark, mark, now_ns)}, {BTC: mark})
    paper = PaperVenue(CLOCK, {BTC: mark}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    trader = await a_trader(control, venue, paper, StaticReader(seen), **changes)
    (decision,) = await trader.cycle.run()
    assert decision.client_order_id is not None, decision
    while trader.plans.under_way():
        await asyncio.sleep(0.1)
        await trader.plans.tend()
    await write_outbox(control, writer, database, facts(venue, bar_ns, model))
    await database.wait_applied([*TABLES, *KNOWN])
    return trader, decision.client_order_id


def by_name(legs: list[Leg]) -> dict[str, Leg]:
    return {leg.name: leg for leg in legs}


async def test_the_way_of_an_order_is_told_from_tick_to_fill_with_the_model_and_delays(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    _, order_id = await bought(control, venue, writer, database, MODEL)
    legs = await explain(database, order_id)
    assert [leg.name for leg in legs] == [
        *("tick", "bar", "features", "prediction", "signal", "decision", "intent", "submitted", "ack", "fill")
    ]
    assert all(leg.at_ns is not None for leg in legs)
    told = by_name(legs)
    delays_ms = [None if leg.delay_ns is None else leg.delay_ns / 1e6 for leg in legs[:5]]
    assert delays_ms == [None, 1_200.0, 10.0, 10.0, 30.0]
    assert "trade 2" in told["tick"].detail
    assert told["features"].detail == "momentum_15 0.25", "the later revision was not known then"
    assert told["prediction"].detail == f"direction {MODEL}: score 0.6"
    assert told["signal"].detail.startswith(f"target 1.0, confidence 0.9 by model version {MODEL}, revision 0")
    assert "to_target" in told["decision"].detail
    assert told["ack"].detail.startswith("FILLED")
    first, last = legs[0].at_ns, legs[-1].at_ns
    assert first is not None
    assert last is not None
    assert sum(leg.delay_ns or 0 for leg in legs) == last - first


async def test_a_strategy_without_a_model_has_no_prediction_and_that_is_said(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    _, order_id = await bought(control, venue, writer, database, None)
    told = by_name(await explain(database, order_id))
    assert (told["prediction"].at_ns, told["prediction"].detail) == (None, "none: the strategy uses no model")
    assert told["signal"].at_ns is not None


async def test_an_order_by_hand_and_one_of_a_flatten_rest_on_no_signal(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    paper = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    mark = Decimal(50_000)
    seen = MarketSeen(quotes={BTC: QuoteSeen(mark, mark, CLOCK.now_ns())}, trades={BTC: mark})
    trader = await a_trader(control, venue, paper, StaticReader(seen))
    await trader.cycle.run()
    sent = await trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.01"), key=venue))
    await trader.commander.flatten(ADA)
    await write_outbox(control, writer, database)
    ids = await database.fetch("SELECT order_id FROM orders WHERE account = %(who)s", {"who": venue})
    assert len(ids) == 3
    for row in ids:
        told = by_name(await explain(database, str(row["order_id"])))
        assert "rests on no signal" in told["tick"].detail
        assert told["signal"].at_ns is None
        assert told["fill"].at_ns is not None
    manual = by_name(await explain(database, str(sent["order_id"])))
    assert "manual" in manual["decision"].detail


async def test_an_order_that_protects_rests_on_no_signal_and_says_what_it_waits_for(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    """This venue takes none; that is told as of any other order."""
    paper = PaperVenue(CLOCK, {BTC: Decimal(50_000)}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    protection = ProtectionConfig(stop_loss_pct=Decimal(1), take_profit_pct=Decimal(2))
    trader = await a_trader(control, venue, paper, StaticReader(), protection=protection)
    assert trader.ledger.portfolio.position(BTC, MOMENTUM).quantity > 0
    await write_outbox(control, writer, database)
    ids = await database.fetch("SELECT order_id, type FROM orders WHERE account = %(who)s", {"who": venue})
    assert sorted(str(row["type"]) for row in ids) == ["limit_maker", "stop_loss"]
    for row in ids:
        told = by_name(await explain(database, str(row["order_id"])))
        assert told["tick"].detail == told["signal"].detail == PROTECTS
        assert "trading.protection" in told["decision"].detail
        assert ("once it trades at 49500" in told["intent"].detail) == (row["type"] == "stop_loss")
        assert "of the pair list" in told["intent"].detail
        assert told["ack"].detail.startswith("REJECTED: ")


async def test_each_order_of_a_plan_leads_to_its_decision_and_to_what_came_of_the_whole(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    execution = ExecutionConfig(policy="twap", slices=2, over_s=1)
    changes = {"execution": execution, "risk": RiskConfig(duplicate_s=None)}
    trader, first = await bought(control, venue, writer, database, MODEL, **changes)
    await database.wait_applied(["execution_plans"])
    rows = await database.fetch("SELECT order_id FROM orders WHERE account = %(who)s ORDER BY ts", {"who": venue})
    ids = [str(row["order_id"]) for row in rows]
    assert ids[0] == first
    assert len(ids) == 2
    for order_id in ids:
        legs = await explain(database, order_id)
        told = by_name(legs)
        assert told["signal"].at_ns is not None
        assert "to_target" in told["decision"].detail
        assert told["plan"].detail.startswith("twap: buy ")
        assert [leg.detail.split(":")[0] for leg in legs if leg.name == "plan order"] == ids
        assert told["plan end"].detail.startswith("filled: filled 0.06")
        assert told["plan end"].detail.endswith("in 2 orders, 0.00 bips worse than mark")
    assert trader.plans.under_way() == []


async def test_an_order_that_never_left_says_what_is_missing(
    control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    trader, _ = await bought(control, venue, writer, database, MODEL)
    held = trader.ledger.portfolio.position(BTC, MOMENTUM).quantity
    assert held > 0
    paper = trader.account.parts.gateway
    assert isinstance(paper, PaperVenue)
    paper.faults.append("reject")
    sent = await trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.01"), key=f"{venue}-2"))
    await write_outbox(control, writer, database)
    told = by_name(await explain(database, str(sent["order_id"])))
    assert told["ack"].detail.startswith("REJECTED: ")
    assert (told["fill"].at_ns, told["fill"].detail) == (None, "none: nothing was executed")


async def test_rows_that_are_gone_are_said_to_be_missing(venue: str, writer: RowWriter, database: Database) -> None:
    """Only the order's first step is there: its decision was dropped, and it was never sent."""
    symbols = {"account": venue, "venue": venue, "symbol": BTC, "strategy": MOMENTUM, "event": "intended"}
    symbols |= {"state": "INTENDED", "side": "buy", "type": "limit", "time_in_force": "IOC"}
    columns = {"order_id": f"ares{venue}", "seq": 1, "quantity": Decimal("0.0100000000")}
    await writer.write([Row("order_events", CLOCK.now_ns(), symbols, columns)])
    await database.wait_applied(["order_events"])
    told = by_name(await explain(database, f"ares{venue}"))
    assert told["signal"].detail == "missing: no decision leads to it"
    assert told["decision"].detail.startswith("missing: no decision names this order")
    assert told["submitted"].detail == "missing: the order is INTENDED"
    assert "at market" in told["intent"].detail


async def test_an_order_that_no_row_knows_is_named_with_some_that_are_known(database: Database) -> None:
    with pytest.raises(UnknownName, match="order = 'aresnope': no such order"):
        await explain(database, "aresnope")


async def test_explain_and_why_on_the_command_line_read_rows_where_no_trader_runs(
    control: ControlStore,
    venue: str,
    writer: RowWriter,
    database: Database,
    *,
    questdb_config: DatabaseConfig,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    trader, order_id = await bought(control, venue, writer, database, MODEL)
    await trader.commander.halt(Order("bob", "odd fills"))
    await write_outbox(control, writer, database)
    for name in ("http_port", "pg_port", "health_port"):
        monkeypatch.setenv(f"ARES_DATABASE__{name.upper()}", str(getattr(questdb_config, name)))
    monkeypatch.setenv("ARES_TRADING__ACCOUNT", venue)
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path_factory.mktemp("nobody")))
    run = CliRunner()
    shown = await asyncio.to_thread(run.invoke, app, ["explain", order_id, "--json"])
    legs = json.loads(shown.stdout)
    assert (legs[0]["leg"], legs[1]["delay_ms"], legs[-1]["leg"]) == ("tick", 1_200.0, "fill")
    why = await asyncio.to_thread(run.invoke, app, ["why"])
    assert "no trader runs here" in why.stdout
    assert f"{MOMENTUM} {BTC}: no trader runs; HALTED since" in why.stdout
    assert "by bob: odd fills; it trades: buy by order" in why.stdout
    unknown = await asyncio.to_thread(run.invoke, app, ["why", "NO/SUCH"])
    assert "symbol = 'NO/SUCH'" in str(unknown.exception)
