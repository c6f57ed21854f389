"""The trader as a service: the composition root, the only file that builds what reaches out."""

from __future__ import annotations

import asyncio

from ares.config.settings import AresConfig, VenueConfig
from ares.control import ControlStore
from ares.errors import ConfigError
from ares.service.types import Health, ServiceContext
from trader.control_port import ControlPort
from trader.execution.lease import BLUE
from trader.handover.outside import Surroundings
from trader.handover.settings import settings_of
from trader.live.rekey import KeyChange
from trader.live.settings import require_meant, terms_of
from trader.parts import TraderParts
from trader.reader import DatabaseReader
from trader.runtime import Trader
from trader.venues.announced import Announced
from trader.venues.create import create_gateway

REQUEST_SLACK_S = 2.0
"""How much longer than its time-out a request to the venue may keep us."""


class TraderService:
    """See `ares.service.Service`. The control port answers from the start; leading and reconciling come in `run`."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        config, trading = context.config, context.config.trading
        self._venue = venue_config(config)
        self._color = context.color or BLUE
        require_meant(config)
        self._gateway = create_gateway(trading.venue, self._venue, context.clock, trading.leverage)
        self._announced = Announced(self._venue)
        self._keys = KeyChange(self._gateway, trading.venue, context.clock)
        self._reader = DatabaseReader(config.database, trading.venue)
        self._control: ControlStore | None = None
        self._trader: Trader | None = None
        self._port: ControlPort | None = None

    async def start(self) -> None:
        context, trading = self._context, self._context.config.trading
        self._control = await asyncio.to_thread(ControlStore.open, context.control_url)
        self._trader = self._built(self._control)
        self._port = ControlPort(
            self._trader.commander,
            context.state_dir,
            trading.control_host,
            trading.control_port,
            token=trading.control_token,
            color=self._color,
        )
        await self._port.start()

    async def run(self) -> None:
        """Lead, and once another one was let in, stand by anew, from the journal as that one leaves it."""
        assert self._trader is not None, "start() comes first"
        assert self._control is not None, "start() comes first"
        assert self._port is not None, "start() comes first"
        while True:
            await self._trader.run()
            self._trader = self._built(self._control)
            self._port.serve(self._trader.commander)

    def _built(self, control: ControlStore) -> Trader:
        context, config = self._context, self._context.config
        return Trader(
            TraderParts(
                config=config.trading,
                symbols=config.ingest.symbols,
                control=control,
                gateway=self._gateway,
                reader=self._reader,
                clock=context.clock,
                instance=context.instance,
                request_s_max=self._venue.request_timeout_s + REQUEST_SLACK_S,
                terms=terms_of(config),
                four_eyes=config.environment.profile == "prod",
                announced=self._announced,
                color=self._color,
                settings=settings_of(config),
                outside=Surroundings(lambda: context.config, control, context.clock),
                led=self._lead,
            )
        )

    async def _lead(self) -> None:
        assert self._port is not None, "who leads was started"
        await self._port.lead()

    def reconfigure(self, config: AresConfig) -> None:
        """Limits, slippage and pace hold from the next cycle on, the venue's keys once it says they are harmless."""
        self._announced.reconfigure(venue_config(config))
        self._keys.wish(venue_config(config), real=terms_of(config) is not None)
        if self._trader is not None:
            self._trader.reconfigure(config.trading, terms_of(config), settings_of(config))

    async def stop(self) -> None:
        if self._port is not None:
            await self._port.stop()
        if self._trader is not None:
            await self._trader.stop()
        await self._keys.close()
        await self._gateway.close()
        await self._reader.close()
        if self._control is not None:
            self._control.close()

    def health(self) -> Health:
        return Health(ready=False, detail="starting") if self._trader is None else self._trader.health()


def venue_config(config: AresConfig) -> VenueConfig:
    """The settings of the venue that is traded on. Raises `ConfigError`."""
    name = config.trading.venue
    if name not in config.venues:
        known = ", ".join(sorted(config.venues)) or "none"
        raise ConfigError("trading.venue", name, "no such venue is configured", f"Known: {known}. Add [venues.{name}]")
    return config.venues[name]
