"""The service that carries the control store's outbox to QuestDB."""

from __future__ import annotations

import asyncio
import random

from ares.control import ControlStore
from ares.control.mirror import Mirror
from ares.errors import AuditKeyUnusable
from ares.resilience import Backoff
from ares.service.auditing import witness_of
from ares.service.jobs import JobScheduler
from ares.service.leaks import LEAKS
from ares.service.types import Capability, Health, ServiceContext, ServiceSpec
from ares.store import RowWriter
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


class MirrorService:
    """One per installation; two would only repeat each other's writes."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._writer = RowWriter(context.config.database)
        self._control: ControlStore | None = None
        self._mirror: Mirror | None = None
        self._jobs = JobScheduler(context, [LEAKS])

    async def start(self) -> None:
        self._control = await asyncio.to_thread(ControlStore.open, self._context.control_url)
        backoff = Backoff(0.1, 5.0, random.Random())  # noqa: S311 - jitter, not a secret
        rows_max = self._context.config.control.mirror_batch_rows_max
        self._mirror = Mirror(self._control, self._writer, self._context.clock, backoff, rows_max=rows_max)

    async def run(self) -> None:
        assert self._mirror is not None, "start() comes first"
        await self._jobs.start()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._mirror.run(self._context.config.control.mirror_poll_s), name="mirror")
            tasks.create_task(self._witness(), name="witness")

    async def _witness(self) -> None:
        """Sign and copy the heads of the audit chains, for ever."""
        assert self._control is not None
        while True:
            try:
                witness = await asyncio.to_thread(witness_of, self._context, self._control)
                await asyncio.to_thread(witness.look)
            except AuditKeyUnusable as error:
                metrics.AUDIT_WITNESS_FAILED.set(1)
                log.error("audit_not_signed", error=str(error))
            await self._context.clock.sleep(self._context.config.audit.head_s)

    async def stop(self) -> None:
        await self._jobs.stop()
        if self._mirror is not None:
            await self._mirror.drain()
        await self._writer.close()
        if self._control is not None:
            self._control.close()

    def health(self) -> Health:
        if self._mirror is None:
            return Health(ready=False, detail="starting")
        return Health(ready=self._mirror.error is None, detail=self._mirror.error or "")


MIRROR = ServiceSpec("mirror", MirrorService, depends_on=("questdb",), provides=lambda _: [Capability("outbox-mirror")])
