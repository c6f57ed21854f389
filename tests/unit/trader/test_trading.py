"""Goal: from a signal to a booked fill, journal first, each order sent once whatever dies in between."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from ares.clock import SystemClock
from ares.errors import LeaseLost, StoreUnavailable
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.portfolio.orders import OrderState
from trader.risk import TradingState
from trader.runtime import Trader
from trader.venues.gateway import OrderRequest


def held(trader: Trader) -> Decimal:
    return trader.ledger.portfolio.position(BTC, STRATEGY).quantity


async def test_a_signal_becomes_an_order_a_fill_and_a_position(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.order_quantity) == ("buy", Decimal("0.08000"))
    assert held(trader) == Decimal("0.07992")
    assert trader.desk.orders() == []
    states = [row.symbols["state"] for row in bench.rows("order_events")]
    assert states == ["INTENDED", "SUBMITTED", "FILLED"]
    assert [row.columns["quantity"] for row in bench.rows("position_events")] == [Decimal("0.0799200000")]


async def test_decision_order_fill_and_journal_share_one_correlation_id(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    tables = ("decisions", "order_events", "fills")
    ids = {row.columns["correlation_id"] for table in tables for row in bench.rows(table)}
    assert ids == {decision.correlation_id}
    assert {row.columns["order_id"] for row in bench.rows("fills")} == {decision.client_order_id}


async def test_a_position_at_its_target_is_held(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    await trader.cycle.run()
    await bench.advance(5)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("hold", "below_rebalance_share")


async def test_a_target_below_zero_sells_all_that_can_be_sold(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    await trader.cycle.run()
    await bench.advance(5)
    bench.market(target=-0.4, price="51000")
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.target_quantity) == ("sell", Decimal(0))
    assert held(trader) == 0
    position = trader.ledger.portfolio.position(BTC, STRATEGY)
    assert position.realised_quote == Decimal("71.8440800000")
    assert position.cost_basis == 0


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (lambda bench: None, "no_signal"),
        (lambda bench: bench.market(target=None), "signal_is_null"),
        (lambda bench: bench.market(signal_age_s=600.0), "stale_signal"),
    ],
)
async def test_what_cannot_be_judged_is_skipped_with_its_reason(bench: Bench, prepare: object, reason: str) -> None:
    trader = await bench.trader()
    assert callable(prepare)
    prepare(bench)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("skip", reason)
    assert len(bench.rows("decisions")) == 1
    assert not bench.venue.submissions


async def test_a_stale_quote_is_skipped_and_says_how_stale(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market()
    await bench.advance(11)
    await trader.cycle.run()
    (row,) = bench.rows("decisions")
    assert (row.symbols["action"], row.symbols["rule"], row.symbols["unit"]) == ("skip", "StaleQuote", "s")
    assert row.columns["observed"] == Decimal("11.0000000000")
    assert row.columns["limit_value"] == Decimal("10.0000000000")


async def test_a_refusal_is_a_row_with_rule_observed_limit_and_unit(bench: Bench) -> None:
    risk = bench.config.risk.model_copy(update={"order_notional_quote_max": Decimal(1_000)})
    bench.configure(risk=risk)
    trader = await bench.trader()
    bench.market(target=1.0)
    await trader.cycle.run()
    (row,) = bench.rows("decisions")
    assert (row.symbols["action"], row.symbols["rule"], row.symbols["unit"]) == (
        "refuse",
        "OrderNotionalLimit",
        "quote",
    )
    assert row.columns["observed"] == Decimal("4004.0000000000")
    assert row.columns["limit_value"] == Decimal("1000.0000000000")
    assert not bench.venue.submissions


async def test_a_limit_that_is_lowered_while_trading_holds_from_the_next_cycle_on(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    risk = bench.config.risk.model_copy(update={"order_notional_quote_max": Decimal(1_000)})
    trader.reconfigure(bench.config.model_copy(update={"risk": risk, "cycle_s": 1.0}))
    await trader.cycle.run()
    (row,) = bench.rows("decisions")
    assert row.symbols["rule"] == "OrderNotionalLimit"
    assert row.columns["limit_value"] == Decimal("1000.0000000000")


async def test_without_questdb_every_decision_is_a_skip_and_orders_are_still_followed(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("accept_timeout")
    await trader.cycle.run()
    bench.reader.error = StoreUnavailable("QuestDB is away")
    await bench.advance(5)
    (decision,) = await trader.cycle.run()
    assert (decision.action, decision.reason) == ("skip", "store_unavailable")
    await trader.desk.follow()
    assert held(trader) == Decimal("0.07992")


async def test_a_time_out_on_submit_is_unknown_then_resolved_by_its_client_id(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("accept_timeout")
    (decision,) = await trader.cycle.run()
    (order,) = trader.desk.orders()
    assert order.state is OrderState.UNKNOWN
    assert trader.desk.pending()[0].remaining == Decimal("0.08000")
    await bench.advance(5)
    bench.market(target=1.0)
    (meanwhile,) = await trader.cycle.run()
    assert (meanwhile.action, meanwhile.reason) == ("skip", "order_unknown")
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert held(trader) == Decimal("0.07992")
    assert bench.venue.submissions == {decision.client_order_id: 1}


async def test_absence_resolves_an_unknown_order_only_after_two_looks_and_the_visibility_delay(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("lost")
    await trader.cycle.run()
    await trader.desk.follow()
    await trader.desk.follow()
    assert trader.desk.orders()[0].state is OrderState.UNKNOWN
    await bench.advance(5)
    await trader.desk.follow()
    assert trader.desk.orders() == []
    assert bench.rows("order_events")[-1].symbols["event"] == "absent"
    assert bench.rows("order_events")[-1].symbols["state"] == "EXPIRED"


async def test_an_order_that_arrives_late_is_found_and_not_repeated(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("late")
    bench.venue.late_looks = 2
    await trader.cycle.run()
    await bench.pass_time(trader, 3)
    assert trader.desk.orders() == []
    assert held(trader) == Decimal("0.07992")
    assert max(bench.venue.submissions.values()) == 1


async def test_an_order_that_appears_after_it_was_taken_for_absent_is_booked_all_the_same(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("late")
    bench.venue.late_looks = 1_000
    (decision,) = await trader.cycle.run()
    await bench.pass_time(trader, 7)
    assert trader.desk.orders() == []
    assert decision.client_order_id is not None
    bench.venue._hidden[decision.client_order_id] = 0
    bench.venue._arrive(decision.client_order_id)
    await trader.account.sweep_executions([BTC])
    assert held(trader) == Decimal("0.07992")


async def test_a_rejected_order_rests_before_it_is_tried_again(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("reject")
    await trader.cycle.run()
    assert bench.rows("order_events")[-1].symbols["state"] == "REJECTED"
    await bench.advance(5)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.reason == "resting_after_rejection"
    await bench.advance(30)
    await trader.leadership.wait()
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.action == "buy"


async def test_a_partly_filled_order_ends_with_what_was_filled(bench: Bench) -> None:
    trader = await bench.trader()
    bench.venue.depth = Decimal("0.05")
    bench.market(target=1.0)
    await trader.cycle.run()
    assert held(trader) == Decimal("0.04995")
    last = bench.rows("order_events")[-1]
    assert (last.symbols["state"], last.columns["filled_quantity"]) == ("EXPIRED", Decimal("0.0500000000"))
    await bench.advance(5)
    bench.market(target=1.0)
    (decision,) = await trader.cycle.run()
    assert decision.order_quantity == Decimal("0.03005")


async def test_killed_between_intent_and_send_the_order_is_resolved_at_restart_and_never_sent(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    _, committed = await trader.cycle._decide_all(await trader.cycle._look())
    assert len(committed) == 1
    successor = await bench.trader()
    assert successor.desk.orders() == []
    assert not bench.venue.submissions
    events = [row.symbols["event"] for row in bench.rows("order_events")]
    assert events == ["intended", "order_outcome_unknown", "absent"]


async def test_killed_after_the_send_the_order_is_found_at_restart_and_booked_once(bench: Bench) -> None:
    trader = await bench.trader()
    bench.market(target=1.0)
    bench.venue.faults.append("accept_timeout")
    (decision,) = await trader.cycle.run()
    successor = await bench.trader()
    assert held(successor) == Decimal("0.07992")
    assert successor.desk.orders() == []
    third = await bench.trader()
    assert held(third) == Decimal("0.07992")
    assert bench.venue.submissions == {decision.client_order_id: 1}
    assert len(bench.rows("fills")) == 1


async def test_the_same_cycle_repeated_after_a_crash_sends_nothing_twice(bench: Bench) -> None:
    bench.venue.depth = Decimal("0.01")
    trader = await bench.trader()
    bench.market(target=1.0)
    (first,) = await trader.cycle.run()
    (again,) = await trader.cycle.run()
    assert first.action == "buy"
    assert (again.action, again.reason) == ("skip", "order_stands_already")
    assert bench.venue.submissions == {first.client_order_id: 1}


async def test_reconciling_twice_changes_nothing(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    assert held(trader) == Decimal("0.05")
    before = len(bench.rows("position_events"))
    await trader.reconciler.run(STRATEGY, doubt_s_max=1, poll_s=0.1)
    successor = await bench.trader()
    assert held(successor) == Decimal("0.05")
    assert len(bench.rows("position_events")) == before == 1
    (row,) = bench.rows("position_events")
    assert (row.symbols["cause"], row.columns["fill_id"]) == ("adopted", "adopted")
    assert row.columns["average_price"] == Decimal("50000.0000000000")


async def test_coins_missing_at_the_venue_mean_reducing_until_they_are_back(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    assert trader.states.current.state is TradingState.ACTIVE
    bench.venue.holdings["BTC"] = Decimal("0.02")
    successor = await bench.trader()
    assert successor.states.current.state is TradingState.REDUCING
    assert "book 0.05" in successor.states.current.reason
    bench.venue.holdings["BTC"] = Decimal("0.05")
    third = await bench.trader()
    assert third.states.current.state is TradingState.ACTIVE


async def test_a_strangers_order_is_left_alone_and_its_execution_is_booked_apart(bench: Bench) -> None:
    trader = await bench.trader()
    stranger = OrderRequest("by-hand-1", BTC, "buy", "market", "IOC", Decimal("0.01"), None)
    await bench.venue.submit(stranger)
    resting = OrderRequest("by-hand-2", BTC, "buy", "limit", "GTC", Decimal("0.01"), Decimal(40_000))
    bench.venue.rest(resting)
    await trader.account.check_open_orders()
    assert await trader.account.sweep_executions([BTC]) == 1
    assert await trader.account.sweep_executions([BTC]) == 0
    assert held(trader) == 0
    assert trader.ledger.portfolio.position(BTC, "foreign").quantity == Decimal("0.00999")
    assert bench.venue.cancels == []


async def test_a_trader_whose_lease_runs_out_does_not_send(bench: Bench) -> None:
    trader = await bench.trader()
    await bench.advance(10)
    bench.market(target=1.0)
    await trader.cycle.run()
    assert not bench.venue.submissions
    assert bench.rows("order_events")[-1].symbols["event"] == "not_sent"
    assert trader.desk.orders() == []


async def test_a_trader_that_lost_its_lease_stops_and_is_not_ready(bench: Bench) -> None:
    trader = await bench.trader()
    assert trader.health().ready
    await bench.advance(20)
    successor = await bench.trader()
    with pytest.raises(LeaseLost):
        await trader.leadership.renew()
    assert trader.health().detail == "the lease was lost"
    assert successor.health().ready


async def test_run_leads_reconciles_trades_and_stops_in_order(bench: Bench) -> None:
    bench.configure(cycle_s=0.05, sweep_s=0.05)
    bench.clock = SystemClock()
    bench.venue.clock = bench.clock
    bench.market(target=1.0)
    trader = bench.build()
    running = asyncio.create_task(trader.run())
    async with asyncio.timeout(10):
        while not bench.venue.fills:
            await asyncio.sleep(0.02)
    assert trader.health().ready
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await trader.stop()
    assert trader.leadership.lease is None
    assert not trader.health().ready
    assert len(bench.venue.submissions) == 1


async def test_an_error_that_a_cycle_does_not_expect_ends_the_service(bench: Bench) -> None:
    bench.configure(cycle_s=0.05, sweep_s=0.05)
    bench.clock = SystemClock()
    bench.venue.clock = bench.clock
    trader = bench.build()

    trader.cycle._keys = [(bench.config.strategies[0], "NO/SUCH")]
    async with asyncio.timeout(10):
        with pytest.raises(BaseExceptionGroup) as group:
            await trader.run()
    assert group.value.subgroup(AssertionError) is not None
    await trader.stop()


async def test_a_venue_that_is_away_at_start_is_waited_for(bench: Bench) -> None:
    bench.venue.away = True
    trader = bench.build()
    await trader.leadership.wait()
    beginning = asyncio.create_task(trader.begin())
    async with asyncio.timeout(30):
        while "reconciling" not in trader.health().detail:
            await asyncio.sleep(0.005)
            await bench.advance(0.5)
    assert not beginning.done()
    bench.venue.away = False
    await bench.until(beginning)
    assert trader.health().ready
