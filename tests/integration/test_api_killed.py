"""Goal: trading needs neither the API nor the console: it goes on while both are killed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from http import HTTPStatus
from pathlib import Path

import aiohttp

from ares.config.settings import DatabaseConfig
from ares.store import RowWriter
from tests.api import config_of
from tests.api_process import shown_by_an_admin, started
from tests.conftest import free_port
from tests.integration.test_trader_service import environ, feeding, orders_reach, serving, told, trading


async def test_trading_goes_on_when_api_and_console_are_killed(
    questdb_config: DatabaseConfig, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    log, port = tmp_path / "trader.log", free_port()
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(serving(tmp_path / "exchange"))
        http = await stack.enter_async_context(aiohttp.ClientSession(exchange.address))
        settings = environ(exchange, questdb_config, venue, tmp_path)
        headers = shown_by_an_admin(config_of(questdb_config, tmp_path))
        async with feeding(http, writer, venue), trading(settings, log):
            address = f"http://127.0.0.1:{port}"
            api = started(
                ["-m", "ares.cli", "service", "run", "api", "--port", "0"],
                address,
                settings | {"ARES_API__PORT": str(port)},
            )
            _, process = await asyncio.to_thread(stack.enter_context, api)
            await orders_reach(http, 1, log)
            async with aiohttp.ClientSession(address, headers=headers) as asking:
                async with asking.get("/api/v1/trading/status") as answer:
                    status = await answer.json()
                    assert (answer.status, status["state"], status["leader"]) == (HTTPStatus.OK, "ACTIVE", True)
                async with asking.get("/console/login") as page:
                    assert page.status == HTTPStatus.OK
                async with asking.ws_connect("/api/v1/stream"):
                    process.kill()
                    before, _ = await told(http)
                    await orders_reach(http, len(before) + 3, log)
        assert set((await told(http))[1].values()) == {1}
