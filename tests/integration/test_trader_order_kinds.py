"""Goal: every kind of order goes through ccxt to the simulated exchange, and comes back as it stands there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import pytest
import pytest_asyncio

from ares.clock import SystemClock
from ares.errors import OrderOutcomeUnknown, VenueRejected
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from tests.integration.test_trader_gateway import config_of
from trader.execution.ids import DecisionName, client_order_id
from trader.portfolio.orders import OrderState, OrderType
from trader.portfolio.sizing import Grid
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.gateway import OrderRequest, PairRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")
BTC = "BTC/USDT"
QUANTITY = Decimal("0.001")
CLOCK = SystemClock()
CAUGHT_UP_S_MAX, AT_ONCE_S = 90.0, 0.5


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CcxtGateway]:
    balances = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
    one = Exchange(
        ExchangeOptions(tmp_path_factory.mktemp("exchange"), port=0, keys=Keys("key", "secret"), balances=balances),
        CLOCK,
    )
    await one.start()
    running = asyncio.create_task(one.run())
    door = CcxtGateway("sim", config_of(one, timeout_s=15.0), CLOCK)
    await door.connect([BTC])
    await caught_up(door)
    yield door
    await door.close()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.stop()


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def nothing_stays(gateway: CcxtGateway) -> AsyncIterator[None]:
    """A test that fails leaves no order to the next one."""
    yield
    for each in await gateway.open_orders():
        await gateway.cancel(BTC, each.client_order_id)


async def caught_up(door: CcxtGateway) -> None:
    """Until the exchange answers at once: it begins with a history of trades, and an order is good for five seconds."""
    async with asyncio.timeout(CAUGHT_UP_S_MAX):
        while True:
            began_s = CLOCK.monotonic_s()
            await door.open_orders()
            if CLOCK.monotonic_s() - began_s < AT_ONCE_S:
                return


async def at(gateway: CcxtGateway, share: str) -> Decimal:
    """A price so far from the market, on the tick."""
    mark = (await gateway.marks([BTC]))[BTC]
    grid: Grid = (await gateway.connect([BTC]))[BTC]
    return mark * Decimal(share) // grid.price_tick * grid.price_tick


def request(
    kind: OrderType, price: Decimal | None = None, stop_price: Decimal | None = None, trailing_bips: int = 0
) -> OrderRequest:
    name = client_order_id(DecisionName("kinds", "s", 1, BTC, uuid4().int))
    return OrderRequest(
        name, BTC, "sell", kind, "GTC", QUANTITY, price, stop_price=stop_price, trailing_bips=trailing_bips
    )


async def test_orders_that_wait_stand_until_they_are_cancelled(gateway: CcxtGateway) -> None:
    low, high = await at(gateway, "0.8"), await at(gateway, "1.2")
    waiting = [
        request("limit_maker", price=high),
        request("stop_loss", stop_price=low),
        request("stop_loss_limit", price=low, stop_price=low),
        request("take_profit", stop_price=high),
        request("take_profit_limit", price=high, stop_price=high),
        request("stop_loss", trailing_bips=2_000),
    ]
    for each in waiting:
        report = await gateway.submit(each)
        assert (report.state, report.quantity, report.filled_quantity) == (OrderState.ACCEPTED, QUANTITY, 0)
        found = await gateway.find_order(BTC, client_order_id=each.client_order_id)
        assert found is not None
        assert found.venue_order_id == report.venue_order_id
    assert len(await gateway.open_orders()) == len(waiting)
    for each in waiting:
        await gateway.cancel(BTC, each.client_order_id)
    assert await gateway.open_orders() == []


async def test_a_maker_that_would_take_and_a_stop_that_is_met_are_rejected(gateway: CcxtGateway) -> None:
    with pytest.raises(VenueRejected, match="immediately match"):
        await gateway.submit(request("limit_maker", price=await at(gateway, "0.9")))
    with pytest.raises(VenueRejected, match="trigger immediately"):
        await gateway.submit(request("stop_loss", stop_price=await at(gateway, "1.1")))
    assert await gateway.open_orders() == []


async def test_a_pair_locks_its_quantity_once_and_ends_with_either_leg(gateway: CcxtGateway) -> None:
    above = request("limit_maker", price=await at(gateway, "1.2"))
    below = request("stop_loss", trailing_bips=2_000)
    reports = await gateway.submit_pair(PairRequest("list" + above.client_order_id[4:], above, below))
    assert [r.client_order_id for r in reports] == [above.client_order_id, below.client_order_id]
    assert {r.state for r in reports} == {OrderState.ACCEPTED}
    assert (await gateway.balances())["BTC"].locked == QUANTITY
    with pytest.raises((VenueRejected, OrderOutcomeUnknown)):
        await gateway.submit_pair(PairRequest("list" + above.client_order_id[4:], above, below))
    await gateway.cancel(BTC, below.client_order_id)
    for each in (above, below):
        found = await gateway.find_order(BTC, client_order_id=each.client_order_id)
        assert found is not None
        assert found.state is OrderState.CANCELED


async def test_an_order_that_is_made_smaller_keeps_its_ids(gateway: CcxtGateway) -> None:
    asked = request("limit", price=await at(gateway, "1.2"))
    before = await gateway.submit(asked)
    smaller = QUANTITY / 2
    await gateway.amend(BTC, asked.client_order_id, smaller)
    after = await gateway.find_order(BTC, client_order_id=asked.client_order_id)
    assert after is not None
    assert (after.venue_order_id, after.quantity, after.state) == (before.venue_order_id, smaller, OrderState.ACCEPTED)
    assert (await gateway.balances())["BTC"].locked == smaller
    with pytest.raises((VenueRejected, OrderOutcomeUnknown), match="quantity increase"):
        await gateway.amend(BTC, asked.client_order_id, QUANTITY)
    await gateway.cancel(BTC, asked.client_order_id)
    assert await gateway.open_orders() == []
