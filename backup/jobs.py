"""Scheduled jobs of backups."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ares.control import ControlStore, Json
from ares.service import ServiceContext
from ares.service.jobs import JobSpec
from ares.store.server import make_dir
from backup.drill.jobs import DRILL
from backup.run import Backups, outcome
from backup.told import Progress

MARKET = "market"


@asynccontextmanager
async def backups(context: ServiceContext, progress: Progress = lambda _done, _total: None) -> AsyncIterator[Backups]:
    """The backups of this installation, with a control store for their rows."""
    await asyncio.to_thread(make_dir, context.state_dir)  # on a new machine there is none yet
    control = await asyncio.to_thread(ControlStore.open, context.control_url)
    try:
        yield Backups(context, control, progress)
    finally:
        control.close()


async def back_up(context: ServiceContext) -> Mapping[str, Json]:
    """Copy QuestDB and what belongs to it."""
    async with backups(context) as work:
        return outcome(await work.run(MARKET))


async def check(context: ServiceContext) -> Mapping[str, Json]:
    """Prove the repository sound, and read the next part of its data."""
    async with backups(context) as work:
        return {"read": await work.check()}


async def prune(context: ServiceContext) -> Mapping[str, Json]:
    """Let go what retention does not want."""
    async with backups(context) as work:
        return {each.tag: len(each.removed) for each in await work.prune()}


BACKUP = JobSpec("backup", back_up, cron=lambda config: config.backup.cron)
CHECK = JobSpec("backup-check", check, cron=lambda config: config.backup.check_cron)
PRUNE = JobSpec("backup-prune", prune, cron=lambda config: config.backup.prune_cron)
JOBS = (BACKUP, CHECK, PRUNE, DRILL)
"""What the service `backup` schedules."""
