"""Goal: an order by hand is the one that was shown and agreed to, is sent once, and what became of it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from api.trader import TraderDoor
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.model.row import Row
from ares.service.trader_door import NoTrader, TraderPlace
from ares.store import RowWriter
from tests.console import LOADED, chromium, logged_in, serving_console
from tests.integration.test_trader_service import BTC, environ, feeding, serving, tail, told, trading

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True, slots=True)
class Desk:
    """A trader's page of the market, and the exchange that the order goes to."""

    page: Page
    exchange: aiohttp.ClientSession

    async def by_hand(self) -> list[dict[str, str]]:
        """Orders that the exchange accepted; no strategy has a signal here."""
        return (await told(self.exchange))[0]

    async def fill(self, quantity: str) -> None:
        """Type how much."""
        await self.page.get_by_label("Quantity").fill(quantity)

    async def press(self, name: str, times: int = 1) -> None:
        """Press a button so often, as fast as a finger that trembles."""
        await self.page.get_by_role("button", name=name, exact=True).first.evaluate(
            "(button, times) => { for (let n = 0; n < times; n++) button.click(); }", times
        )

    async def agree(self) -> None:
        """Say yes to what is asked."""
        dialog = self.page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Place order").click()
        await expect(dialog).to_have_count(0)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def desk(questdb_config: DatabaseConfig, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    venue, folder = f"venue_{uuid4().hex[:12]}", tmp_path_factory.mktemp("desk")
    log = folder / "trader.log"
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(serving(folder / "exchange"))
        http = await stack.enter_async_context(aiohttp.ClientSession(exchange.address))
        writer = RowWriter(questdb_config)
        stack.push_async_callback(writer.close)
        await writer.write([listed(venue)])
        await stack.enter_async_context(feeding(http, writer, venue, signals=False))
        settings = environ(exchange, questdb_config, venue, folder)
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name in settings:
            if name.startswith("ARES_"):
                environment.setenv(name, settings[name])
        trader = await stack.enter_async_context(trading(settings, log))
        await ready(TraderDoor(TraderPlace(folder)), trader, log)
        there = await asyncio.to_thread(stack.enter_context, serving_console(questdb_config, folder))
        context = await logged_in(await stack.enter_async_context(chromium()), there, "trader")
        page = await context.new_page()
        await page.goto(f"{there.root}/market?venue={venue}&symbol={BTC}")
        await page.wait_for_function(LOADED)
        yield Desk(page, http)


async def ready(door: TraderDoor, trader: asyncio.subprocess.Process, log: Path) -> None:
    async with asyncio.timeout(90):
        while True:
            assert trader.returncode is None, tail(log)
            with suppress(NoTrader):
                status = await door.ask("status")
                if status.get("ready") and status.get("leader"):
                    return
            await asyncio.sleep(0.2)


def listed(venue: str) -> Row:
    names = {"venue": venue, "symbol": BTC, "base": "BTC", "quote": "USDT"}
    return Row("instruments", SystemClock().now_ns(), names, {"price_tick": 0.01, "amount_step": 0.00001})


async def test_order_is_what_was_agreed_to_and_pressed_twice_it_is_one(desk: Desk) -> None:
    page, said = desk.page, desk.page.locator(".ticket [aria-live]")
    before = len(await desk.by_hand())
    await desk.fill("0.002")
    await desk.press("Preview")
    await expect(said).to_contain_text("would be sent")
    await desk.fill("0.003")
    await expect(said).to_have_text("")  # what was said was of another order

    await desk.press("Place order", times=2)
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_have_count(1)
    await expect(dialog).to_contain_text("Buy 0.003 BTC/USDT at the market, on ")
    await desk.agree()
    await expect(page.locator(".q-notification.good")).to_contain_text("FILLED")
    await page.wait_for_timeout(1_000)
    assert [order["origQty"] for order in (await desk.by_hand())[before:]] == ["0.00300000"]


async def test_refused_order_is_told_as_one_and_by_which_figures(desk: Desk) -> None:
    before = len(await desk.by_hand())
    await desk.fill("900")
    await desk.press("Place order")
    await desk.agree()
    refused = desk.page.locator(".q-notification.bad", has_text="Refused: ")
    await expect(refused).to_contain_text("allowed are")
    assert len(await desk.by_hand()) == before
    await refused.get_by_role("button", name="Close").click()


async def test_figure_that_is_none_is_told_before_anything_is_asked(desk: Desk) -> None:
    await desk.fill("all")
    await desk.press("Place order")
    said = desk.page.locator(".q-notification.bad", has_text="quantity = 'all': a number above 0")
    await expect(said).to_be_visible()
    await expect(desk.page.get_by_role("dialog")).to_have_count(0)
