"""Goal: the trader asks a venue no more than it allows, waits when told to, and stays away while it is worked on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from ares.errors import OrderOutcomeUnknown, VenueRejected, VenueUnavailable
from ares.model.market import Side
from ares.resilience import Rate
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from trader.execution.ids import DecisionName, client_order_id
from trader.portfolio.orders import OrderState
from trader.venues.ccxt_gateway import CcxtGateway
from trader.venues.gateway import OrderRequest

pytestmark = pytest.mark.asyncio(loop_scope="module")

BTC = "BTC/USDT"
CLOCK = SystemClock()
MINUTE, TEN_S = Rate("weight", 60), Rate("orders", 10)
Venue = tuple[CcxtGateway, aiohttp.ClientSession]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    balances = {"USDT": Decimal(20_000), "BTC": Decimal("0.05")}
    options = ExchangeOptions(
        tmp_path_factory.mktemp("exchange"), port=0, keys=Keys("key", "secret"), balances=balances
    )
    one = Exchange(options, CLOCK)
    await one.start()
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def venue(exchange: Exchange) -> AsyncIterator[Venue]:
    """The account's door, and one for what else happens at the exchange."""
    address = exchange.address
    config = VenueConfig.model_validate(
        {"rest_url": address, "ws_url": address.replace("http", "ws"), "api_key": "key", "api_secret": "secret"}
    )
    gateway = CcxtGateway("sim", config, CLOCK)
    await gateway.connect([BTC])
    async with aiohttp.ClientSession(address) as http:
        yield gateway, http
        await http.delete("/sim/misbehave")
    await gateway.close()


def order(side: Side = "buy") -> OrderRequest:
    order_id = client_order_id(DecisionName("budget", "signal_momentum", 1, BTC, uuid4().int))
    return OrderRequest(order_id, BTC, side, "market", "IOC", Decimal("0.001"), None)


async def misbehave(http: aiohttp.ClientSession, **wish: object) -> None:
    async with http.post("/sim/misbehave", json=wish) as answer:
        assert answer.status == 200, await answer.text()


def used(gateway: CcxtGateway, rate: Rate) -> int:
    return next(count for one, count, _ in gateway.rates() if one == rate)


async def early_in_a_minute(least_s: float) -> None:
    """Tests that count a minute's weight begin with enough of it left."""
    left_s = 60 - time.time() % 60
    if left_s < least_s:
        await asyncio.sleep(left_s + 0.1)


async def test_what_is_used_and_allowed_is_what_the_venue_says(venue: Venue) -> None:
    gateway, http = venue
    await gateway.look_around([BTC])
    await early_in_a_minute(10.0)
    async with http.get("/api/v3/trades?symbol=BTCUSDT") as answer:
        before = int(answer.headers["X-MBX-USED-WEIGHT-1M"])
    await gateway.submit(order())
    assert used(gateway, MINUTE) == before + 1, "what others used behind our address counts"
    assert used(gateway, TEN_S) >= 1
    limits = {rate: limit for rate, _, limit in gateway.rates()}
    assert limits == {MINUTE: 6_000, TEN_S: 100, Rate("orders", 86_400): 200_000}


@pytest.mark.parametrize("kind", ["429", "418"])
async def test_nothing_is_sent_until_the_venue_lets_us_come_back(venue: Venue, kind: str) -> None:
    gateway, http = venue
    await misbehave(http, kind=kind, on="/api/v3/order", wait_ms=2_000)
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(order())
    assert gateway.obstacle(BTC) == "venue_asks_to_wait"
    late = order("sell")
    with pytest.raises(VenueRejected, match="not sent: sim asks for no calls"):
        await gateway.submit(late)
    with pytest.raises(VenueRejected, match="not sent"):
        await gateway.cancel(BTC, late.client_order_id)
    async with http.get("/sim/orders") as answer:
        assert late.client_order_id not in (await answer.json())["submissions"]
    assert await gateway.find_order(BTC, client_order_id=late.client_order_id) is None, "a look waits, and is answered"
    assert gateway.obstacle(BTC) is None
    assert (await gateway.submit(order("sell"))).state is OrderState.FILLED


async def test_a_venue_under_maintenance_is_left_alone_until_it_says_that_it_works(venue: Venue) -> None:
    gateway, http = venue
    await gateway.look_around([BTC])
    assert gateway.obstacle(BTC) is None
    await misbehave(http, kind="maintenance", for_ms=60_000)
    with pytest.raises(VenueUnavailable):
        await gateway.look_around([BTC])
    assert gateway.obstacle(BTC) == "venue_maintenance"
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(order())
    await http.delete("/sim/misbehave")
    await gateway.look_around([BTC])
    assert gateway.obstacle(BTC) is None


async def test_an_order_that_meets_maintenance_first_tells_it_too(venue: Venue) -> None:
    gateway, http = venue
    await misbehave(http, kind="maintenance", count=1, on="POST /api/v3/order")
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(order())
    assert gateway.obstacle(BTC) == "venue_maintenance"
    await gateway.look_around([BTC])
    assert gateway.obstacle(BTC) is None


async def test_a_venue_without_a_status_works_when_it_answers_other_questions(venue: Venue) -> None:
    gateway, http = venue
    await misbehave(http, kind="maintenance", count=1, on="POST /api/v3/order")
    with pytest.raises(OrderOutcomeUnknown):
        await gateway.submit(order())
    await misbehave(http, kind="5xx", count=1, on="system/status")
    await gateway.look_around([BTC])
    assert gateway.obstacle(BTC) is None


async def test_looks_wait_when_others_use_the_address_up_and_orders_still_leave(venue: Venue) -> None:
    """The last one: whoever looks after it waits for the next minute, too."""
    gateway, http = venue
    await early_in_a_minute(25.0)
    weight = 0
    while weight < 4_850:
        async with http.get("/api/v3/trades?symbol=BTCUSDT&limit=1") as answer:
            weight = int(answer.headers["X-MBX-USED-WEIGHT-1M"])
    sold = await gateway.submit(order("sell"))
    assert sold.state is OrderState.FILLED
    look = asyncio.create_task(gateway.balances())
    await asyncio.sleep(0.3)
    assert not look.done()
    bought = await gateway.submit(order())
    assert bought.state is OrderState.FILLED
    look.cancel()
    await asyncio.gather(look, return_exceptions=True)
