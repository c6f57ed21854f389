"""The service `backup`: makes copies on schedule, and begins with what a killed backup left behind."""

from __future__ import annotations

import asyncio

from ares.control import ControlStore
from ares.errors import BackupError, StoreError
from ares.service import Health, Service, ServiceContext
from ares.service.jobs import JobScheduler
from ares.telemetry import get_logger
from backup.jobs import JOBS
from backup.journal.keeper import keep_journal
from backup.memory import Memory
from backup.run import release_left_over

log = get_logger(__name__)


class BackupService:
    """Runs the jobs of backups; ready as long as the last backup went well."""

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._jobs = JobScheduler(context, JOBS)
        self._memory: Memory | None = None

    async def start(self) -> None:
        self._memory = Memory(self._context.state_dir)
        try:
            await release_left_over(self._context)
        except (BackupError, StoreError) as error:
            log.warning("checkpoint_not_looked_at", cause=error.code, error=str(error))

    async def run(self) -> None:
        await self._jobs.start()
        control = await asyncio.to_thread(ControlStore.open, self._context.control_url)
        try:
            await keep_journal(self._context, control)
        finally:
            control.close()

    async def stop(self) -> None:
        await self._jobs.stop()

    def health(self) -> Health:
        if self._memory is None:
            return Health(ready=False, detail="starting")
        failed = [kind for kind in self._memory.kinds() if self._memory.get(kind, "failed")]
        return Health(ready=True, detail=f"last one failed: {', '.join(failed)}" if failed else "")


def create(context: ServiceContext) -> Service:
    """The service of this installation."""
    return BackupService(context)
