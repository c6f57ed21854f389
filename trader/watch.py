"""What stops trading by itself: nobody who says that they are there, a database or a venue that stays away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ares.clock import Clock
from ares.config.trading import TradingConfig
from ares.errors import VenueError
from trader.command_log import Order
from trader.execution.state import DEAD_MAN, TradingStates
from trader.outage import Outage
from trader.risk import TradingState
from trader.venues.gateway import VenueGateway

LOOK_S = 0.5
PROBE_S = 5.0
"""How often the venue is asked for one price, to know that it is there."""


class Life:
    """When somebody last said that they are there."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._at_s = clock.monotonic_s()

    def sign(self) -> None:
        """Somebody is there now."""
        self._at_s = self._clock.monotonic_s()

    @property
    def silent_s(self) -> float:
        """Seconds since the last sign."""
        return self._clock.monotonic_s() - self._at_s


@dataclass(frozen=True, slots=True)
class WatchParts:
    """What is watched, and how trading is stopped. `halt` is the commander's."""

    states: TradingStates
    gateway: VenueGateway
    symbols: Sequence[str]
    storage: Outage
    life: Life
    clock: Clock
    config: Callable[[], TradingConfig]
    halt: Callable[[Order], Awaitable[object]]


class Watch:
    """Looks at signs of life and at outages; needs neither the database nor the API for it."""

    def __init__(self, parts: WatchParts) -> None:
        self._parts = parts
        self._clock = parts.clock
        self._venue = Outage("the venue", parts.clock)

    async def run(self) -> None:
        """Look until cancelled; the time for a sign of life begins now. Raises `ControlUnavailable`."""
        self._parts.life.sign()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._again(self.look, LOOK_S), name="watch")
            tasks.create_task(self._again(self.probe, PROBE_S), name="probe")

    async def _again(self, work: Callable[[], Awaitable[None]], every_s: float) -> None:
        while True:
            await self._clock.sleep(every_s)
            await work()

    async def look(self) -> None:
        """Act on what is known now."""
        config = self._parts.config()
        causes = (self._parts.storage.beyond(config.storage_grace_s), self._venue.beyond(config.venue_grace_s))
        unwell = "; ".join(cause for cause in causes if cause is not None)
        state = await self._parts.states.examined(unwell or None, self._clock.now_ns())
        if 0 < config.dead_man_s < self._parts.life.silent_s and state.state is not TradingState.HALTED:
            await self._parts.halt(Order(DEAD_MAN, f"no sign of life within {config.dead_man_s:g} s"))

    async def probe(self) -> None:
        """Ask the venue for something small."""
        try:
            await self._parts.gateway.marks(self._parts.symbols[:1])
        except VenueError as error:
            self._venue.away(str(error))
        else:
            self._venue.well()
