"""The service `notifier`: the composition root of notifications. Of several one tells, for two would repeat news."""

from __future__ import annotations

import asyncio
import math
from contextlib import AsyncExitStack

from api.notify.chats import ChatParts, Chats
from api.notify.delivery import Delivery, DeliveryParts
from api.notify.halting import Halting, HaltParts
from api.notify.notices import OF_ROWS
from api.notify.places import bot_of, targets_of
from api.notify.rows import RowWatch
from api.notify.senders import Senders
from api.trader import TraderDoor
from ares.config import AresConfig
from ares.control import ControlStore
from ares.errors import ControlUnavailable, StoreError
from ares.service import Health, ServiceContext
from ares.service.leases import awaited, kept
from ares.service.trader_door import TraderPlace
from ares.store import Database
from ares.telemetry import get_logger

LEASE = "notifier"
LEASE_S = 15.0
"""So long nobody tells after the one who told was killed."""
LOOK_S = 1.0
ROWS_S = 2.0
AWAY_S = 10.0

log = get_logger(__name__)


class NotifierService:
    """Tells people, and hears their chats. What it tells comes from the control store; QuestDB may be away."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._stack = AsyncExitStack()
        self._control: ControlStore | None = None
        self._delivery: Delivery | None = None
        self._chats: Chats | None = None
        self._database_error = ""
        self._tells = False

    async def start(self) -> None:
        context, clock = self._context, self._context.clock
        control = self._control = await asyncio.to_thread(ControlStore.open, context.control_url)
        self._stack.callback(control.close)
        targets = targets_of(context, control)
        bot = bot_of(context)
        if bot is not None:
            self._stack.push_async_callback(bot.close)
        senders = Senders(lambda: context.config, clock, bot)
        self._stack.push_async_callback(senders.close)
        self._delivery = Delivery(DeliveryParts(control, targets, senders, clock, lambda: context.config.notifications))
        if bot is not None:
            trader = TraderDoor(TraderPlace.of(context.config))
            halting = Halting(HaltParts(control, trader, clock, lambda: context.config))
            self._chats = Chats(ChatParts(control, targets, bot, trader, halting, clock, lambda: context.config))

    async def run(self) -> None:
        assert self._control is not None, "start() comes first"
        assert self._delivery is not None, "start() comes first"
        control, clock = self._control, self._context.clock
        lease = await awaited(control, clock, LEASE, ttl_s=LEASE_S, wait_s_max=math.inf, poll_s=LOOK_S)
        assert lease is not None, "it waits for as long as it takes"
        self._tells = True
        self._stack.push_async_callback(asyncio.to_thread, control.release_lease, lease)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kept(control, clock, lease, LEASE_S), name="lease")
            tasks.create_task(self._delivery.run(), name="delivery")
            tasks.create_task(self._rows(), name="rows")
            if self._chats is not None:
                tasks.create_task(self._chats.run(), name="chats")

    async def stop(self) -> None:
        await self._stack.aclose()

    def reconfigure(self, config: AresConfig) -> None:
        self._context.config = config

    def health(self) -> Health:
        if self._delivery is None:
            return Health(ready=False, detail="starting")
        if not self._tells:
            return Health(ready=True, detail="another notifier tells")
        chats = "" if self._chats is None else self._chats.error
        troubles = [each for each in (chats, self._database_error, *self._delivery.troubles) if each]
        return Health(ready=True, detail="; ".join(troubles)[:500])

    async def _rows(self) -> None:
        """Look at the database again and again; what is in the log is told without it."""
        assert self._control is not None, "start() comes first"
        clock = self._context.clock
        while True:
            try:
                async with await Database.connect(self._context.config.database, readonly=True) as database:
                    watch = RowWatch(database, self._control, clock)
                    while True:
                        await watch.look(self._wanted())
                        self._database_error = ""
                        await clock.sleep(ROWS_S)
            except (StoreError, ControlUnavailable) as error:
                self._database_error = str(error)
                log.warning("rows_not_seen", cause=str(error))
                await clock.sleep(AWAY_S)

    def _wanted(self) -> dict[str, int]:
        """Tables that somebody wants to be told of, and since when."""
        assert self._delivery is not None, "start() comes first"
        known = [each.target for each in self._delivery.known()]
        since = {
            table: min((target.since_ns for target in known if topic in target.topics), default=0)
            for table, (topic, _) in OF_ROWS.items()
        }
        return {table: since_ns for table, since_ns in since.items() if since_ns}
