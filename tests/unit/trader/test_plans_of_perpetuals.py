"""Goal: contracts are bought and sold in slices on both sides, and a plan that closes never opens the other one."""

from __future__ import annotations

import pytest

from ares.config.trading import ExecutionConfig
from ares.errors import UsageError
from tests.unit.trader.test_perpetuals import PERP, D, PerpetualBench, held, perps
from trader.amend import Change
from trader.commander import Order
from trader.manual_words import Wish
from trader.runtime import Trader

__all__ = ["perps"]  # the fixture is theirs
ADA = Order("ada", "by hand")


async def pass_by(bench: PerpetualBench, trader: Trader, seconds: int, target: float) -> None:
    """Time passes while the plan is looked after, its signal still the newest."""
    for _ in range(seconds):
        await bench.advance(1)
        bench.market(target, symbol=PERP, signal_age_s=0)
        await trader.leadership.renew()
        await trader.plans.tend()


async def test_a_short_is_opened_and_closed_in_slices_that_are_the_whole_together(
    perps: PerpetualBench,
) -> None:
    perps.configure(execution=ExecutionConfig(policy="twap", slices=4, over_s=16))
    trader = await perps.trader()
    assert await perps.step(trader, -1.0) == "sell to_target"
    assert held(trader) == D("-0.02"), "the first slice"
    await pass_by(perps, trader, 16, -1.0)
    assert held(trader) == D("-0.08") == perps.paper.quantity(PERP)
    assert await perps.step(trader, 0.0) == "buy closing"
    ((plan, _),) = trader.plans.under_way()
    assert plan.reduces
    await pass_by(perps, trader, 16, 0.0)
    assert held(trader) == 0 == perps.paper.quantity(PERP)
    assert not trader.plans.under_way()


async def test_a_plan_that_closes_asks_for_no_more_than_is_still_held(perps: PerpetualBench) -> None:
    perps.configure(execution=ExecutionConfig(policy="twap", slices=4, over_s=16))
    trader = await perps.trader()
    await perps.step(trader, 1.0)
    await pass_by(perps, trader, 16, 1.0)
    assert held(trader) == D("0.08")
    await perps.step(trader, 0.0)
    sold = await trader.commander.order(ADA, Wish(PERP, "sell", D("0.05"), None, "signal_momentum", "out"))
    assert sold["sent"] is True
    await pass_by(perps, trader, 16, 0.0)
    assert held(trader) == 0 == perps.paper.quantity(PERP)


async def test_orders_of_contracts_are_not_amended_and_that_is_said(perps: PerpetualBench) -> None:
    trader = await perps.trader()
    perps.wish(0.0)
    told = await trader.commander.order(ADA, Wish(PERP, "buy", D("0.02"), D(49_900), "signal_momentum", "one"))
    assert told["state"] == "ACCEPTED"
    with pytest.raises(UsageError, match=r"orders of contracts are not amended from here yet\. Cancel it"):
        await trader.commander.amend(ADA, str(told["order_id"]), Change(quantity=D("0.01")))
