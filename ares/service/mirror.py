"""The service that carries the control store to QuestDB, its events to whoever subscribed, and minds the database."""

from __future__ import annotations

import asyncio
import random

from ares.config import AresConfig
from ares.control import ControlStore
from ares.control.mirror import Feed, Mirror, OutboxFeed, Writer
from ares.errors import AuditKeyUnusable
from ares.events import EventRegistry
from ares.events.bus import EventBus, Subscription
from ares.events.kafka import KafkaFeed, KafkaSource, KafkaWriter
from ares.events.mirror import EventFeed
from ares.resilience import Backoff
from ares.security.audit import Witness
from ares.service.analysts import StatementGuard
from ares.service.auditing import witness_of
from ares.service.jobs import JobScheduler
from ares.service.leaks import LEAKS
from ares.service.registry import jobs_apart
from ares.service.storage import StorageKeeper
from ares.service.subscriptions import installed_subscriptions
from ares.service.types import Capability, Health, ServiceContext, ServiceSpec
from ares.store import RowWriter
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


class MirrorService:
    """One per installation; two would only repeat each other's writes."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._writer = RowWriter(context.config.database)
        self._kafka = KafkaWriter(context.config.kafka) if context.config.kafka.servers else None
        self._control: ControlStore | None = None
        self._mirrors: list[Mirror] = []
        self._jobs = JobScheduler(context, [LEAKS], jobs_apart())
        self._storage = StorageKeeper(context.config.database, context.clock)
        self._guard: StatementGuard | None = None

    async def start(self) -> None:
        self._control = await asyncio.to_thread(ControlStore.open, self._context.control_url)
        config = self._context.config
        self._guard = StatementGuard(config.database, config.analysts, self._context.clock, self._control)
        rows_max = self._context.config.control.mirror_batch_rows_max
        ways: list[tuple[Feed, Writer]] = [
            (OutboxFeed(self._control, self._context.config.backup.mirrored_rows_kept_max), self._writer),
            (EventFeed(self._control), self._writer),
        ]
        if self._kafka is not None:
            ways.append((KafkaFeed(self._control, self._context.config.kafka), self._kafka))
        self._mirrors = [
            Mirror(self._control, feed, writer, self._context.clock, _backoff(), rows_max=rows_max)
            for feed, writer in ways
        ]

    async def run(self) -> None:
        assert self._control is not None, "start() comes first"
        poll_s = self._context.config.control.mirror_poll_s
        await self._jobs.start()
        async with asyncio.TaskGroup() as tasks:
            for mirror in self._mirrors:
                tasks.create_task(mirror.run(poll_s), name="mirror")
            source = None if self._kafka is None else self._from_kafka
            bus = EventBus(self._control, EventRegistry.installed(), self._context.clock, source)
            tasks.create_task(bus.run(installed_subscriptions(self._context), poll_s), name="bus")
            tasks.create_task(self._witness(), name="witness")
            tasks.create_task(self._storage.run(), name="storage")
            if self._guard is not None:
                tasks.create_task(self._guard.run(), name="guard")

    def reconfigure(self, config: AresConfig) -> None:
        """Guard by the new limits."""
        if self._guard is not None:
            self._guard.limits = config.analysts

    def _from_kafka(self, subscription: Subscription) -> KafkaSource:
        assert self._control is not None, "start() comes first"
        after = self._control.begin(subscription.cursor, at_end=not subscription.from_start)
        return KafkaSource(self._context.config.kafka, subscription.name, after)

    async def _witness(self) -> None:
        """Sign and copy the heads of the audit chains, for ever."""
        assert self._control is not None
        witness: Witness | None = None
        while True:
            try:
                if witness is None:
                    witness = await asyncio.to_thread(witness_of, self._context, self._control)
                await asyncio.to_thread(witness.look)
            except AuditKeyUnusable as error:
                witness = None
                metrics.AUDIT_WITNESS_FAILED.set(1)
                log.error("audit_not_signed", error=str(error))
            await self._context.clock.sleep(self._context.config.audit.head_s)

    async def stop(self) -> None:
        await self._jobs.stop()
        await asyncio.gather(*(mirror.drain() for mirror in self._mirrors))
        await self._writer.close()
        if self._kafka is not None:
            await self._kafka.close()
        if self._control is not None:
            self._control.close()

    def health(self) -> Health:
        if not self._mirrors:
            return Health(ready=False, detail="starting")
        errors = [mirror.error for mirror in self._mirrors if mirror.error]
        return Health(ready=not errors, detail=errors[0] if errors else self._storage.trouble)


def _backoff() -> Backoff:
    return Backoff(0.1, 5.0, random.Random())  # noqa: S311 - jitter, not a secret


MIRROR = ServiceSpec("mirror", MirrorService, depends_on=("questdb",), provides=lambda _: [Capability("outbox-mirror")])
