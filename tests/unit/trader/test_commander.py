"""Goal: halt, resume and flatten do what they say, survive a restart, need no database, and leave their rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ares.errors import StoreUnavailable
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.command_log import Order
from trader.commander import NotLeading
from trader.manual_words import Wish
from trader.portfolio.orders import OrderState
from trader.risk import TradingState
from trader.venues.gateway import OrderRequest

ADA = Order("ada", "odd fills")


async def test_halted_nothing_is_sent_until_it_is_resumed(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    await trader.commander.halt(ADA)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason, decision.state) == ("refuse", "TradingStateRule", "HALTED")
    assert not bench.venue.submissions
    await trader.commander.resume(ADA)
    await bench.advance(5)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.action == "buy"


async def test_a_halt_survives_a_restart(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.halt(ADA)
    successor = await bench.trader()
    assert successor.states.current.state is TradingState.HALTED
    assert (successor.states.current.actor, successor.states.current.reason) == ("ada", "odd fills")


async def test_a_halt_between_decision_and_send_keeps_the_order_at_home(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    _, order_ids = await trader.cycle._decide_all(await trader.cycle._look())
    await trader.commander.halt(ADA)
    order = await trader.desk.send(order_ids[0])
    assert (order.state, order.reason) == (OrderState.CANCELED, "halted before it was sent")
    assert not bench.venue.submissions


async def test_reducing_between_decision_and_send_keeps_a_buy_at_home(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    _, order_ids = await trader.cycle._decide_all(await trader.cycle._look())
    await trader.states.change(TradingState.REDUCING, "reconcile", "short", bench.clock.now_ns())
    order = await trader.desk.send(order_ids[0])
    assert order.reason == "reducing before it was sent"


async def test_a_halt_cancels_what_stands_at_the_venue(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    (decision,) = await trader.cycle.run()
    assert decision.client_order_id is not None
    bench.venue.rest(OrderRequest(decision.client_order_id, BTC, "buy", "limit", "GTC", Decimal("0.08"), Decimal(1)))
    outcome = await trader.commander.halt(ADA)
    assert outcome["cancels_asked"] == 1
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert bench.rows("order_events")[-1].symbols["state"] == "CANCELED"


async def test_a_halt_said_by_another_process_cancels_too(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    (decision,) = await trader.cycle.run()
    assert decision.client_order_id is not None
    bench.venue.rest(OrderRequest(decision.client_order_id, BTC, "buy", "limit", "GTC", Decimal("0.08"), Decimal(1)))
    standby = bench.build()
    outcome = await standby.commander.halt(ADA)
    assert outcome["cancels_asked"] == 0
    await trader.follow_once(0)
    assert bench.venue.cancels == [decision.client_order_id]


async def test_a_halt_of_another_process_that_a_cycle_saw_first_cancels_too(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=0.0)
    await trader.cycle.run()
    sent = await trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.01"), Decimal(49_900), key="rests"))
    await bench.build().states.change(TradingState.HALTED, "bob", "elsewhere", bench.clock.now_ns())
    await trader.cycle.run()
    assert trader.states.current.actor == "bob"
    await trader.follow_once(bench.clock.monotonic_s())
    assert bench.venue.cancels == [sent["order_id"]]
    await trader.follow_once(bench.clock.monotonic_s())
    assert bench.venue.cancels == [sent["order_id"]], "one halt is heeded once"


async def test_flatten_sells_everything_in_legs_without_a_database_and_stays_halted(bench: Bench) -> None:
    bench.venue.holdings["BTC"] = Decimal("0.5")
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    bench.reader.error = StoreUnavailable("QuestDB is away")
    outcome = await trader.commander.flatten(ADA)
    assert outcome["state"] == "HALTED"
    assert outcome["orders_sent"] == 5
    assert outcome["left"] == {}
    assert bench.venue.holdings["BTC"] == 0
    assert trader.states.current.state is TradingState.HALTED
    assert {row.columns["reason"] for row in bench.rows("decisions")} == {"flatten"}
    done = [row for row in bench.rows("commands") if row.symbols["status"] == "done"]
    assert [(row.symbols["command"], row.symbols["actor"], row.columns["seq"]) for row in done] == [
        ("flatten", "ada", 1)
    ]


async def test_flatten_cuts_its_legs_by_a_limit_that_was_lowered_while_trading(bench: Bench) -> None:
    bench.venue.holdings["BTC"] = Decimal("0.5")
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    risk = bench.config.risk.model_copy(
        update={"order_notional_quote_max": bench.config.risk.order_notional_quote_max / 2}
    )
    trader.reconfigure(bench.config.model_copy(update={"risk": risk}))
    assert (await trader.commander.flatten(ADA))["orders_sent"] == 10
    assert bench.venue.holdings["BTC"] == 0


async def test_flatten_tries_again_what_was_only_partly_filled(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    bench.venue.depth = Decimal("0.02")
    trader = await bench.trader()
    outcome = await trader.commander.flatten(ADA)
    assert outcome["left"] == {}
    assert all(count == 1 for count in bench.venue.submissions.values())


async def test_flatten_leaves_dust_and_says_so(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    bench.venue.holdings["BTC"] = Decimal("0.050005")
    trader = await bench.trader()
    outcome = await trader.commander.flatten(ADA)
    assert outcome["left"] == {f"{BTC} {STRATEGY}": "0.0000050000"}


async def test_flatten_waits_for_orders_of_unknown_outcome(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("accept_timeout")
    await trader.cycle.run()
    outcome = await trader.commander.flatten(ADA)
    assert outcome["orders_sent"] == 1
    assert outcome["left"] == {}
    assert bench.venue.holdings["BTC"] == Decimal("0.05")


async def test_who_does_not_lead_does_not_flatten_but_halts(bench: Bench) -> None:
    standby = bench.build()
    with pytest.raises(NotLeading):
        await standby.commander.flatten(ADA)
    assert standby.states.current.state is TradingState.HALTED
    assert bench.rows("commands")[-1].symbols["status"] == "failed"


async def test_status_tells_state_lease_positions_orders_and_profit(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    bench.market(target=1.0, price="51000")
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    status = await trader.commander.status()
    assert (status["state"], status["leader"], status["ready"]) == ("ACTIVE", True, True)
    assert status["pnl_quote"] == {
        "realised": "0",
        "realised_fifo": "0",
        "funding": "0",
        "unrealised": "50.0000000000",
        "day": "50.0000000000",
    }
    assert [order["state"] for order in status["orders_open"]] == ["UNKNOWN"]  # type: ignore[union-attr,call-overload,index]
    assert [p["quantity"] for p in status["positions"]] == ["0.0500000000"]  # type: ignore[union-attr,call-overload,index]


async def test_saying_the_same_thing_twice_is_one_change(bench: Bench) -> None:
    trader = await bench.trader()
    await trader.commander.halt(ADA)
    await trader.commander.halt(ADA)
    assert [row.symbols["state"] for row in bench.rows("trading_state")] == ["ACTIVE", "HALTED"]
