"""Goal: a flatten ends, whatever the venue, the prices or another sender of orders do meanwhile."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

from ares.errors import VenueUnavailable
from tests.unit.trader.conftest import BTC, ETH, STRATEGY, Bench
from tests.unit.trader.test_portfolio import INTENT
from trader import flatten
from trader.command_log import Order
from trader.portfolio.orders import OrderState

ADA = Order("ada", "end of test")
D = Decimal


async def test_a_price_that_moves_away_ends_a_flatten_after_its_rounds(bench: Bench) -> None:
    """Each round sells and nothing fills: three rounds, and what is held stays held."""
    bench.configure(adopt_balances_to=STRATEGY)
    bench.venue.depth = D(0)
    trader = await bench.trader()
    outcome = await trader.commander.flatten(ADA)
    assert outcome["orders_sent"] == flatten.ATTEMPTS_MAX * flatten.LEGS_MAX
    assert outcome["left"] == {f"{BTC} {STRATEGY}": "0.0500000000"}
    assert set(bench.venue.submissions.values()) == {1}


async def test_without_fresh_marks_a_flatten_cuts_by_the_last_ones(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    await bench.pass_time(trader, 5)

    async def no_marks(_: object) -> dict[str, Decimal]:
        raise VenueUnavailable("no prices now")

    trader.marks._load = no_marks
    outcome = await trader.commander.flatten(ADA)
    assert (outcome["orders_sent"], outcome["left"]) == (1, {})


async def test_an_order_that_is_just_being_committed_is_not_sold_over(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    trader.desk._reserved[BTC, STRATEGY] = replace(INTENT, symbol=BTC, strategy=STRATEGY)
    outcome = await trader.commander.flatten(ADA)
    assert (outcome["orders_sent"], outcome["left"]) == (0, {f"{BTC} {STRATEGY}": "0.0500000000"})
    assert not bench.rows("order_events")


async def test_what_has_no_known_steps_is_left_and_said(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    trader.instruments._seen.clear()
    outcome = await trader.commander.flatten(ADA)
    assert (outcome["orders_sent"], outcome["left"]) == (0, {f"{BTC} {STRATEGY}": "0.0500000000"})


async def test_coins_are_adopted_once_however_many_of_their_symbols_are_traded(bench: Bench) -> None:
    strategy = bench.config.strategies[0].model_copy(update={"symbols": (BTC, "BTC/USDC", ETH)})
    bench.configure(adopt_balances_to=STRATEGY, strategies=(strategy,))
    bench.venue.prices |= {"BTC/USDC": D(50_000), ETH: D(3_000)}
    trader = await bench.trader()
    assert trader.ledger.quantities() == {(BTC, STRATEGY): D("0.05")}


async def test_an_order_that_stays_unknown_keeps_a_flatten_from_selling_over_it(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    trader = await bench.trader()
    bench.venue.faults.append("accept_timeout")
    bench.venue.away = True
    flattening = asyncio.create_task(trader.commander.flatten(ADA))
    await bench.until(flattening)
    outcome = flattening.result()
    assert outcome["orders_sent"] == 1
    assert outcome["left"] == {f"{BTC} {STRATEGY}": "0.0500000000"}
    assert [order.state for order in trader.desk.orders()] == [OrderState.UNKNOWN]
