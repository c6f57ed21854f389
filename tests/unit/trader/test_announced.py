"""Goal: before and during maintenance that a venue announced nothing is opened there, and what closes is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.trading import ExecutionConfig
from ares.config.venues import AnnouncedConfig, MaintenanceWindow
from ares.testing.clock import SteppedClock
from tests.unit.trader.conftest import BTC, STRATEGY, Bench
from trader.commander import Order
from trader.manual_words import Wish
from trader.portfolio.orders import OrderState
from trader.runtime import Trader
from trader.venues.announced import Announced

START = datetime.fromtimestamp(SteppedClock().now_ns() / NANOS_PER_SECOND, UTC)
LEAD_S = 6.0
ADA = Order("ada", "a test")


def config(
    begins_s: float = 20, ends_s: float = 40, *, lead_s: float = LEAD_S, cancels: bool = False
) -> AnnouncedConfig:
    begins, ends = (START + timedelta(seconds=seconds) for seconds in (begins_s, ends_s))
    window = MaintenanceWindow(begins=begins, ends=ends)
    return AnnouncedConfig(maintenance=(window,), maintenance_lead_s=lead_s, maintenance_cancels=cancels)


async def at(bench: Bench, trader: Trader, second: float) -> None:
    """Let time pass until so many seconds after the start."""
    now_s = bench.clock.monotonic_s()
    assert second > now_s, f"it is {now_s} s already"
    await bench.pass_time(trader, second - now_s)


async def decided(bench: Bench, trader: Trader, target: float) -> str:
    bench.market(target=target)
    (decision,) = await trader.cycle.run()
    return f"{decision.action} {decision.reason}"


def wish(quantity: str, price: str | None = None) -> Wish:
    return Wish(BTC, "buy", Decimal(quantity), None if price is None else Decimal(price), key="by-hand")


@pytest.mark.parametrize(
    ("second", "action"),
    [(13.5, "buy"), (14.5, "skip"), (19.5, "skip"), (20.5, "skip"), (39.5, "skip"), (40.5, "buy")],
    ids=["before the lead", "in the lead", "at its end", "under way", "nearly over", "over"],
)
async def test_nothing_is_bought_from_the_lead_until_the_end(bench: Bench, second: float, action: str) -> None:
    bench.announced.reconfigure(config())
    trader = await bench.trader()
    await at(bench, trader, second)
    said = await decided(bench, trader, 1.0)
    assert said == ("skip venue_maintenance" if action == "skip" else "buy to_target")


async def test_what_is_held_is_sold_all_the_same(bench: Bench) -> None:
    bench.announced.reconfigure(config())
    trader = await bench.trader()
    assert await decided(bench, trader, 1.0) == "buy to_target"
    await at(bench, trader, 25)
    assert (await decided(bench, trader, 0.0)).startswith("sell ")
    await bench.pass_time(trader, 5)
    assert trader.ledger.portfolio.position(BTC, STRATEGY).quantity == 0


async def test_a_window_that_is_called_off_while_trading_goes_on_holds_no_more(bench: Bench) -> None:
    trader = await bench.trader()
    bench.announced.reconfigure(config(0, 120))
    assert await decided(bench, trader, 1.0) == "skip venue_maintenance"
    bench.announced.reconfigure(AnnouncedConfig())
    await bench.pass_time(trader, 5)
    assert await decided(bench, trader, 1.0) == "buy to_target"


async def test_an_order_by_hand_may_close_and_not_open(bench: Bench) -> None:
    bench.configure(adopt_balances_to=STRATEGY)
    bench.announced.reconfigure(config(10, 40))
    trader = await bench.trader()
    await at(bench, trader, 11)
    bench.market(target=1.0)
    outcome = await trader.commander.order(ADA, wish("0.01"))
    assert (outcome["sent"], outcome["reason"]) == (False, "venue_maintenance")
    sold = Wish(BTC, "sell", Decimal("0.01"), strategy=STRATEGY, key="way-out")
    assert (await trader.commander.order(ADA, sold))["sent"] is True


@pytest.mark.parametrize("cancels", [True, False])
async def test_what_rests_is_cancelled_when_the_lead_begins_if_that_is_wished_for(
    bench: Bench, *, cancels: bool
) -> None:
    bench.announced.reconfigure(config(cancels=cancels))
    trader = await bench.trader()
    bench.market(target=0.0)
    bench.venue.depth = Decimal(0)
    outcome = await trader.commander.order(ADA, wish("0.01", "49800"))
    order_id = str(outcome["order_id"])
    await at(bench, trader, 13)
    assert not bench.venue.cancels
    await at(bench, trader, 15)
    assert bench.venue.cancels == ([order_id] if cancels else [])
    await at(bench, trader, 25)
    assert len(bench.venue.cancels) == int(cancels)
    order = await trader.account.parts.journal.find(order_id)
    assert order is not None
    assert (order.state is OrderState.CANCELED) == cancels


async def test_a_plan_under_way_buys_nothing_more_once_the_lead_begins(bench: Bench) -> None:
    bench.configure(execution=ExecutionConfig(policy="twap", slices=4, over_s=40))
    bench.announced.reconfigure(config(100, 1_200, lead_s=60))
    trader = await bench.trader()
    await at(bench, trader, 28)
    assert await decided(bench, trader, 1.0) == "buy to_target"
    for _ in range(50):
        await bench.advance(1)
        bench.market(target=1.0)
        await trader.leadership.renew()
        await trader.plans.tend()
        await trader.follow_once(bench.clock.monotonic_s())
    assert len(bench.venue.submissions) in (1, 2), "of four"
    assert not trader.plans.under_way()


async def test_why_tells_of_the_window_and_until_when(bench: Bench) -> None:
    bench.announced.reconfigure(config())
    trader = await bench.trader()
    await at(bench, trader, 15)
    await decided(bench, trader, 1.0)
    lines = str((await trader.commander.why(None))["lines"])
    window = f"from {START + timedelta(seconds=20):%Y-%m-%dT%H:%M:%S}"
    assert f"the venue announced maintenance {window}" in lines
    assert f"{START + timedelta(seconds=40):%Y-%m-%dT%H:%M:%S}" in lines


def test_of_two_windows_the_lead_of_the_second_may_lie_in_the_first() -> None:
    begins = [START, START + timedelta(seconds=100)]
    windows = tuple(MaintenanceWindow(begins=each, ends=each + timedelta(seconds=90)) for each in reversed(begins))
    announced = Announced(AnnouncedConfig(maintenance=windows, maintenance_lead_s=50))
    start_ns = SteppedClock().now_ns()

    def ends_s(second: float) -> float | None:
        window = announced.window(start_ns + round(second * NANOS_PER_SECOND))
        return None if window is None else (window.ends_ns - start_ns) / NANOS_PER_SECOND

    assert [ends_s(second) for second in (-51, -50, 89, 90, 189, 190)] == [None, 90, 90, 190, 190, None]
