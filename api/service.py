"""The service `api`: the door over HTTP, until it is told to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.notify.places import bot_of, targets_of
from api.notify.senders import Senders
from api.oidc import CALLBACK
from api.parts import Parts
from api.patience import ImpatientProtocol
from api.rates import Rates
from api.stream.feed import Feed
from api.trader import TraderDoor
from api.turns import Turns
from api.versions import EDITIONS, Edition
from ares.config import AresConfig
from ares.control import ControlStore
from ares.control.access import AccessStore
from ares.control.errands import ErrandStore
from ares.errors import PortInUse
from ares.security.access.provider import provider_of
from ares.service import Health, ServiceContext
from ares.service.entrance import door_of
from ares.service.errands.spec import reports_dir
from ares.service.trader_door import TraderPlace
from ares.store import Database
from ares.telemetry import get_logger

log = get_logger(__name__)

STARTED_POLL_S = 0.02


class ApiService:
    """Serves the API. Nothing of trading needs it."""

    def __init__(self, context: ServiceContext, editions: Sequence[Edition] = EDITIONS) -> None:
        self._context = context
        self._editions = editions
        self._stack = AsyncExitStack()
        self._server: uvicorn.Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._feed: Feed | None = None
        self.port = 0

    async def start(self) -> None:
        config = self._context.config
        control = ControlStore.open(self._context.control_url)
        self._stack.callback(control.close)
        people = config.database.model_copy(
            update={"statement_s_max": config.api.sql_s_max, "pool_size_max": config.api.sql_at_once_max}
        )
        s_max = min(config.api.request_s_max, config.database.statement_s_max)  # nobody waits for it any longer
        reads = config.database.model_copy(
            update={"statement_s_max": s_max, "pool_size_max": config.api.reads_at_once_max}
        )
        bot = bot_of(self._context)
        if bot is not None:
            self._stack.push_async_callback(bot.close)
        senders = Senders(lambda: self._context.config, self._context.clock, bot)
        self._stack.push_async_callback(senders.close)
        parts = Parts(
            config=lambda: self._context.config,
            clock=self._context.clock,
            door=door_of(self._context, control),
            access=AccessStore(control),
            errands=ErrandStore(control),
            reports=reports_dir(self._context.state_dir),
            database=await self._stack.enter_async_context(await Database.connect(config.database, readonly=True)),
            turns=Turns(
                await self._stack.enter_async_context(await Database.connect(reads, readonly=True)),
                config.api.reads_at_once_max,
            ),
            people=await self._stack.enter_async_context(await Database.connect(people, readonly=True, ours=False)),
            trader=TraderDoor(TraderPlace.of(config)),
            targets=targets_of(self._context, control),
            senders=senders,
            rates=Rates(self._context.clock, lambda: self._context.config.api.requests_per_minute),
            statements=asyncio.Semaphore(config.api.sql_at_once_max),
            provider=provider_of(
                config.access.oidc,
                config.api.public_url,
                CALLBACK,
                self._context.clock,
                dev=config.environment.profile == "dev",
            ),
        )
        self._feed = Feed(parts.database, self._context.clock)
        await self._listen(create_app(parts, self._feed, self._editions), config)

    async def _listen(self, app: FastAPI, config: AresConfig) -> None:
        api = config.api
        settings = uvicorn.Config(
            app,
            host=api.host,
            port=api.port,
            http=ImpatientProtocol,
            ws_per_message_deflate=False,  # it would be done for each reader anew: most of the processor goes there
            ws_max_size=2**20,  # what the console's socket takes (engine.io: 10**6); `/stream` takes far less of it
            log_config=None,
            access_log=False,
            lifespan="on" if api.console else "off",
            server_header=False,
            proxy_headers=bool(api.proxies),  # by default uvicorn believes whoever connects from this machine
            forwarded_allow_ips=list(api.proxies),
            limit_concurrency=api.connections_max,
            timeout_keep_alive=int(api.idle_s_max),
            timeout_graceful_shutdown=int(config.environment.stop_s_max) or 1,
        )
        self._server = uvicorn.Server(settings)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # signals are the runner's
        self._serving = asyncio.create_task(self._server.serve(), name="uvicorn")
        while not self._server.started:
            if self._serving.done():
                raise PortInUse("api.port", api.host, api.port)
            await asyncio.sleep(STARTED_POLL_S)
        self.port = self._server.servers[0].sockets[0].getsockname()[1]
        log.info("api_listening", address=f"http://{api.host}:{self.port}")

    async def run(self) -> None:
        assert self._serving is not None, "start() comes first"
        assert self._feed is not None, "start() comes first"
        following = asyncio.create_task(self._feed.run(), name="feed")
        try:
            await asyncio.wait({asyncio.shield(self._serving), following}, return_when=asyncio.FIRST_COMPLETED)
            if following.done():
                following.result()
            raise AssertionError("the server ended by itself")
        finally:
            following.cancel()

    async def stop(self) -> None:
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await self._serving
        await self._stack.aclose()

    def health(self) -> Health:
        return Health(self._server is not None and self._server.started)

    def reconfigure(self, config: AresConfig) -> None:
        self._context.config = config
