"""Goal: keys that are replaced while trading goes on are looked at first; harmful or wrong ones change nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from ares.clock import SystemClock
from ares.config.settings import VenueConfig
from simulator.auth import Keys
from simulator.exchange import Exchange, ExchangeOptions
from trader.live.rekey import KeyChange
from trader.venues.ccxt_gateway import CcxtGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLOCK = SystemClock()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def exchange(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    one = Exchange(ExchangeOptions(tmp_path_factory.mktemp("exchange"), port=0, keys=Keys("key", "secret")), CLOCK)
    await one.start()
    running = asyncio.create_task(one.run())
    yield one
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await one.stop()


def config_of(exchange: Exchange, secret: str = "secret") -> VenueConfig:
    address = exchange.address
    return VenueConfig.model_validate(
        {"rest_url": address, "ws_url": address.replace("http", "ws"), "api_key": "key", "api_secret": secret}
    )


@pytest_asyncio.fixture(loop_scope="module")
async def stale(exchange: Exchange) -> AsyncIterator[CcxtGateway]:
    """A gateway whose keys were replaced at the venue: it signs with the old secret."""
    gateway = CcxtGateway("rekeyed", config_of(exchange, "old"), CLOCK)
    yield gateway
    await gateway.close()


async def misbehave(exchange: Exchange, **wish: object) -> None:
    async with aiohttp.ClientSession(exchange.address) as http, http.post("/sim/misbehave", json=wish) as answer:
        assert answer.status == 200, await answer.text()


def refused() -> float | None:
    return REGISTRY.get_sample_value("ares_trader_key_refused", {"venue": "rekeyed"})


async def test_harmless_keys_are_taken_up(exchange: Exchange, stale: CcxtGateway) -> None:
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange), real=True)
    await change.settled()
    assert stale.signs_with(config_of(exchange))
    assert refused() == 0


async def test_keys_that_may_withdraw_are_refused_and_the_old_ones_stay(exchange: Exchange, stale: CcxtGateway) -> None:
    await misbehave(exchange, kind="key_may_withdraw")
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange), real=False)
    await change.settled()
    assert stale.signs_with(config_of(exchange, "old"))
    assert refused() == 1
    change.wish(config_of(exchange, "old"), real=False)
    await change.settled()
    assert refused() == 0, "the wish was taken back"


@pytest.mark.parametrize("real", [True, False])
async def test_keys_that_the_venue_does_not_take_are_refused(
    exchange: Exchange, stale: CcxtGateway, real: bool
) -> None:
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange, "mistyped"), real=real)
    await change.settled()
    assert stale.signs_with(config_of(exchange, "old"))
    assert refused() == 1


async def test_settings_without_a_key_leave_the_old_one_in_use(exchange: Exchange, stale: CcxtGateway) -> None:
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange).model_copy(update={"api_key": None}), real=False)
    await change.settled()
    assert stale.signs_with(config_of(exchange, "old"))
    assert refused() == 1


async def test_the_last_wish_counts(exchange: Exchange, stale: CcxtGateway) -> None:
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange, "mistyped"), real=True)
    change.wish(config_of(exchange), real=True)
    await change.settled()
    assert stale.signs_with(config_of(exchange))


async def test_a_venue_that_does_not_answer_is_asked_again(
    exchange: Exchange, stale: CcxtGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader.live.rekey.LOOK_S", 0.01)
    await misbehave(exchange, kind="5xx", on="apiRestrictions", count=3)
    change = KeyChange(stale, "rekeyed", CLOCK)
    change.wish(config_of(exchange), real=True)
    await change.settled()
    assert stale.signs_with(config_of(exchange))
