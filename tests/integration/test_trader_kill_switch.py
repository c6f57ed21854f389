"""Goal: a halt stops new orders within a second and asks for the end of open ones within five, database or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig, VenueConfig
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from ares.control import ControlStore
from simulator.exchange import Exchange
from tests.conftest import free_port
from tests.integration.test_trader_control import bearer
from tests.integration.test_trader_service import BTC, serving
from trader.command_log import Order
from trader.control_port import ControlPort
from trader.manual_words import Wish
from trader.parts import TraderParts
from trader.reader import DatabaseReader
from trader.runtime import Trader
from trader.venues.ccxt_gateway import CcxtGateway

CLOCK = SystemClock()
STOPPED_WITHIN_S = 1.0
CANCELS_WITHIN_S = 5.0
EAGER = RiskConfig(spread_max=None, duplicate_s=None, orders_per_minute_max=None)
"""Lets the same order go out again and again, without rows too: only the halt is in its way."""
HEDGER = Order("hedger", "hedge")


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[Exchange]:
    async with serving(tmp_path / "exchange") as one:
        yield one


def a_trader(exchange: Exchange, control: ControlStore, database: DatabaseConfig) -> Trader:
    """A trader at the simulated exchange that reads what it trades by from this database."""
    venue = VenueConfig.model_validate(
        {
            "rest_url": exchange.address,
            "ws_url": exchange.address.replace("http", "ws"),
            "api_key": "key",
            "api_secret": "secret",
            "request_timeout_s": 2.0,
        }
    )
    strategy = StrategyConfig(name="signal_momentum", max_position_quote=Decimal(4_000))
    parts = TraderParts(
        config=TradingConfig(strategies=(strategy,), risk=EAGER),
        symbols=(BTC,),
        control=control,
        gateway=CcxtGateway("sim", venue, CLOCK),
        reader=DatabaseReader(database, "sim"),
        clock=CLOCK,
        instance="one",
        request_s_max=2.0,
    )
    return Trader(parts)


async def trade_on(trader: Trader, sent_at_s: list[float]) -> None:
    """Buy by hand again and again, as somebody does who has not heard of the halt; note when one was sent."""
    for number in count():
        outcome = await trader.commander.order(HEDGER, Wish(BTC, "buy", Decimal("0.001"), key=f"hedge-{number}"))
        if outcome["sent"]:
            sent_at_s.append(CLOCK.monotonic_s())
        await asyncio.sleep(0.05)


async def orders_of(http: aiohttp.ClientSession) -> list[dict[str, str]]:
    async with http.get("/sim/orders") as answer:
        return cast("list[dict[str, str]]", (await answer.json())["orders"])


@pytest.mark.parametrize("questdb", ["there", "away"])
async def test_a_halt_stops_orders_within_a_second_and_asks_for_cancels_within_five(
    exchange: Exchange, control: ControlStore, questdb_config: DatabaseConfig, tmp_path: Path, questdb: str
) -> None:
    away = DatabaseConfig(http_port=free_port(), pg_port=free_port(), health_port=free_port())
    trader = a_trader(exchange, control, questdb_config if questdb == "there" else away)
    await trader.leadership.wait()
    await trader.begin()
    keeping = asyncio.create_task(trader.leadership.keep())
    door = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    port = await door.start()
    mark = (await trader.marks.get([BTC], 1.0))[BTC]
    price = (mark * Decimal("0.995")).quantize(Decimal("0.01"))
    resting = Wish(BTC, "buy", Decimal("0.001"), price, "signal_momentum", "rest")
    stands = await trader.commander.order(HEDGER, resting)
    assert stands["state"] == "ACCEPTED", stands
    sent_at_s: list[float] = []
    trading = asyncio.create_task(trade_on(trader, sent_at_s))
    async with asyncio.timeout(30):
        while len(sent_at_s) < 3:
            await asyncio.sleep(0.05)
    halted_at_s = CLOCK.monotonic_s()
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=bearer(tmp_path)) as http,
        http.post("/halt", json={"actor": "ada", "reason": "drill"}) as answer,
    ):
        told = await answer.json()
    answered_after_s = CLOCK.monotonic_s() - halted_at_s
    await asyncio.sleep(STOPPED_WITHIN_S)
    trading.cancel()
    assert (told["state"], told["cancels_asked"] >= 1) == ("HALTED", True)
    assert answered_after_s < CANCELS_WITHIN_S
    assert max(sent_at_s) - halted_at_s < STOPPED_WITHIN_S
    async with aiohttp.ClientSession(exchange.address) as http:
        (order,) = [each for each in await orders_of(http) if each["clientOrderId"] == stands["order_id"]]
    assert order["status"] == "CANCELED"
    before = len(sent_at_s)
    refused = await trader.commander.order(HEDGER, Wish(BTC, "buy", Decimal("0.001"), key="after"))
    assert (refused["action"], refused["rule"], len(sent_at_s)) == ("refuse", "TradingStateRule", before)
    keeping.cancel()
    await asyncio.gather(keeping, trading, return_exceptions=True)
    await door.stop()
    await trader.stop()
