"""A trader's turn: it stands by until the lease is its own, leads, and lets another one lead when that is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass

from ares.clock import Clock
from ares.service.beside import beside
from ares.telemetry import get_logger
from trader.execution.lease import LOOK_S, Leadership
from trader.handover.events import LeadReleased, LeadSettings, LeadTaken
from trader.handover.log import HandoverLog, Wish
from trader.handover.standby import Standby

SETTINGS_S = 5.0

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Self:
    """What a trader is: its colour and process, its release, and the newest migration that this knows."""

    color: str
    instance: str
    release: str
    schema_level: int


class Turn:
    """`come` returns once the lease is ours, `lead` once another one was let in. `settings`: as they are now."""

    def __init__(
        self,
        leadership: Leadership,
        said: HandoverLog,
        clock: Clock,
        about: Self,
        settings: Callable[[], Mapping[str, str]],
    ) -> None:
        self._leadership = leadership
        self._said = said
        self._clock = clock
        self._about = about
        self._settings = settings
        self._came_at_s = 0.0

    async def come(self, standby: Standby) -> None:
        """Stand by, warm, until nobody else leads. Raises `ControlUnavailable`."""
        async with beside(standby.run(), "standby"):
            await self._leadership.wait()
        self._came_at_s = self._clock.monotonic_s()

    async def lead(
        self,
        led: Callable[[], Awaitable[None]],
        trade: Callable[[], Coroutine[None, None, None]],
        drained: Callable[[str], Awaitable[bool]],
    ) -> None:
        """Tell by `led` that we lead, trade, and let another one lead when that is wished.

        `drained` is given its colour, begins nothing more, and returns whether nothing is on its way any more: then the
        other one may begin at once, else once our lease has run out. Raises what ends the trading, in a group.
        """
        async with asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(self._leadership.keep(), name="lease")
            await self._said.taken(self._taken())
            await led()
            trading = tasks.create_task(trade(), name="trade")
            wish = await self._wished()
            heard_at_s = self._clock.monotonic_s()
            to = wish.asked.to
            log.warning("handing_over", to=to, handover_id=wish.asked.handover_id, reason=wish.asked.reason)
            quiet = await drained(to)
            for task in (trading, keeping):  # who leads next writes the journal alone
                task.cancel()
                await asyncio.wait({task})
        fencing = self._leadership.fencing
        if quiet:
            await self._leadership.release(keep_for=to)
        else:
            self._leadership.drop()
        after_ms = round((self._clock.monotonic_s() - heard_at_s) * 1_000)
        released = LeadReleased(wish.asked.handover_id, self._about.color, fencing, to, quiet, after_ms)
        await self._said.released(released)
        log.warning("handed_over", to=to, quiet=quiet, after_ms=after_ms)

    async def ready(self) -> None:
        """Note that we trade from now on."""
        after_ms = round((self._clock.monotonic_s() - self._came_at_s) * 1_000)
        await self._said.ready(self._about.color, self._leadership.fencing, after_ms)

    async def tell_settings(self) -> None:
        """Note by which settings we trade, whenever they changed, until cancelled."""
        while True:
            about = LeadSettings(self._about.color, self._leadership.fencing, self._settings())
            await self._said.reconfigured(about)
            await self._clock.sleep(SETTINGS_S)

    def _taken(self) -> LeadTaken:
        about = self._about
        fencing, level = self._leadership.fencing, about.schema_level
        return LeadTaken(about.color, about.instance, fencing, about.release, level, self._settings(), "")

    async def _wished(self) -> Wish:
        """Wait until somebody wants another colour to lead."""
        while True:
            wish = (await self._said.refresh()).open_wish
            if wish is not None and wish.stands(self._clock.now_ns()) and wish.asked.to != self._about.color:
                return wish
            await self._clock.sleep(LOOK_S)
