"""Goal: plans and amendments do over the wire, at the simulated exchange, what they do in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio

from ares.clock import SystemClock
from ares.config.trading import ExecutionConfig, RiskConfig, StrategyConfig, TradingConfig
from ares.control import ControlStore
from ares.model.row import Row
from simulator.exchange import Exchange
from tests.integration.test_trader_gateway import config_of
from tests.integration.test_trader_service import BTC, serving
from trader.amend import Change
from trader.command_log import Order
from trader.manual_words import Wish
from trader.parts import TraderParts
from trader.reader import MarketSeen, QuoteSeen, SignalSeen
from trader.runtime import Trader
from trader.testing import StaticReader
from trader.venues.ccxt_gateway import CcxtGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = SystemClock()
MOMENTUM = "signal_momentum"
TICK = Decimal("0.01")
ADA = Order("ada", "by hand")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """One for all tests here; each leaves no open order."""
    async with serving(tmp_path_factory.mktemp("exchange")) as one:
        yield one


class Desk:
    """A trader at the exchange, and what it is shown of the market."""

    def __init__(self, exchange: Exchange, control: ControlStore, **execution: object) -> None:
        self.control = control
        self.gateway = CcxtGateway("sim", config_of(exchange, timeout_s=10.0), CLOCK)
        self.reader = StaticReader()
        config = TradingConfig(
            strategies=(StrategyConfig(name=MOMENTUM, max_position_quote=Decimal(1_000)),),
            execution=ExecutionConfig.model_validate(execution),
            risk=RiskConfig(duplicate_s=None),
            lease_s=60.0,
        )
        self.trader = Trader(
            TraderParts(
                config=config,
                symbols=(BTC,),
                control=control,
                gateway=self.gateway,
                reader=self.reader,
                clock=CLOCK,
                instance="one",
                request_s_max=2.0,
            )
        )

    async def begin(self) -> None:
        await self.trader.leadership.wait()
        await self.trader.begin()

    async def show(self, target: float | None = None) -> None:
        """A young quote around the middle; with a target a new signal."""
        mark, now_ns = (await self.gateway.marks([BTC]))[BTC].quantize(TICK), CLOCK.now_ns()
        signals = self.reader.market.signals
        if target is not None:
            signals = {(MOMENTUM, 1, BTC): SignalSeen(now_ns, now_ns, target, 1.0)}
        quote = QuoteSeen(mark - TICK, mark + TICK, now_ns)
        self.reader.market = MarketSeen(signals, {BTC: quote}, {BTC: mark})

    async def pass_by(self, seconds: float) -> None:
        until_s = CLOCK.monotonic_s() + seconds
        while CLOCK.monotonic_s() < until_s and self.trader.plans.under_way():
            await self.show()
            await self.trader.plans.tend()
            await self.trader.desk.follow()
            await asyncio.sleep(0.1)

    def rows(self, event: str) -> list[Row]:
        rows = [entry.row for entry in self.control.outbox(0, 100_000)]
        return [row for row in rows if row.table == "execution_plans" and row.symbols["event"] == event]


async def test_slices_buy_all_of_a_decision(exchange: Exchange, control: ControlStore) -> None:
    desk = Desk(exchange, control, policy="twap", slices=3, over_s=2)
    await desk.begin()
    await desk.show(1.0)
    (decision,) = await desk.trader.cycle.run()
    assert decision.action == "buy"
    await desk.pass_by(6)
    (ended,) = desk.rows("ended")
    assert (ended.columns["reason"], ended.columns["orders"]) == ("filled", 3)
    assert ended.columns["filled_quantity"] == ended.columns["quantity"]
    assert ended.columns["shortfall_bips"] is not None
    assert [row.columns["plan_id"] for row in desk.rows("started")] == [decision.client_order_id]
    await desk.gateway.close()


async def test_a_maker_rests_at_the_exchange_until_a_person_ends_its_plan(
    exchange: Exchange, control: ControlStore
) -> None:
    desk = Desk(exchange, control, policy="post_only", patience_s=30, follow_share="0.5")
    await desk.begin()
    await desk.show(1.0)
    (decision,) = await desk.trader.cycle.run()
    (standing,) = await desk.gateway.open_orders()
    assert standing.client_order_id == decision.client_order_id
    told = await desk.trader.commander.cancel(ADA, standing.client_order_id)
    assert told["plan"] == "ended"
    assert await desk.gateway.open_orders() == []
    assert [row.columns["reason"] for row in desk.rows("ended")] == ["cancelled"]
    await desk.gateway.close()


async def test_an_order_by_hand_is_made_smaller_and_then_replaced(exchange: Exchange, control: ControlStore) -> None:
    desk = Desk(exchange, control)
    await desk.begin()
    await desk.show(0.0)
    price = (desk.reader.market.quotes[BTC].mark * Decimal("0.995")).quantize(TICK)
    sent = await desk.trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.004"), price, MOMENTUM, "one"))
    first = str(sent["order_id"])
    smaller = await desk.trader.commander.amend(ADA, first, Change(quantity=Decimal("0.002")))
    assert (smaller["kept_place"], smaller["reason"]) == (True, None)
    (standing,) = await desk.gateway.open_orders()
    assert (standing.client_order_id, standing.quantity) == (first, Decimal("0.002"))
    await desk.show()
    replaced = await desk.trader.commander.amend(ADA, first, Change(Decimal("0.003"), price - 1))
    assert (replaced["cancelled"], replaced["sent"]) == (True, True)
    (standing,) = await desk.gateway.open_orders()
    assert (standing.client_order_id, standing.quantity) == (replaced["order_id"], Decimal("0.003"))
    await desk.trader.commander.cancel_all(ADA)
    assert await desk.gateway.open_orders() == []
    await desk.gateway.close()
