"""The scheduled job `retention`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ares.control import Json
from ares.service import ServiceContext
from ares.service.jobs import JobSpec


async def retention(context: ServiceContext) -> Mapping[str, Json]:
    """Copy, prove and drop by `lake.tiers`, in a thread with a loop of its own.

    While it is switched off it only takes back an age by which QuestDB would drop rows all the same.
    """
    if context.config.lake.retention == "off":
        await asyncio.to_thread(asyncio.run, _idle(context))
        return {"skipped": "lake.retention is off"}
    return await asyncio.to_thread(asyncio.run, counted(context))


async def _idle(context: ServiceContext) -> None:
    from backup.tiers.retention import aged_by_nobody  # noqa: PLC0415 - listing jobs must not wait for Delta Lake

    await aged_by_nobody(context.config, context.clock, context.state_dir)


async def counted(context: ServiceContext) -> Mapping[str, Json]:
    """How many steps came to what."""
    from backup.tiers.retention import applied  # noqa: PLC0415 - listing jobs must not wait for Delta Lake

    outcome: dict[str, int] = {"copy": 0, "parquet": 0, "drop": 0, "refused": 0}
    for done in await applied(context.config, context.clock, context.state_dir):
        outcome["refused" if done.step.refusals else done.step.action] += 1
    return dict(outcome)


RETENTION = JobSpec("retention", retention, cron=lambda config: config.lake.retention_cron)
