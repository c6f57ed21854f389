"""Scheduled jobs of analytics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ares.control import Json
from ares.service import JobSpec, ServiceContext
from ares.store import Database, RowWriter


async def train(context: ServiceContext) -> Mapping[str, Json]:
    """Fit the direction model, in a thread with a loop of its own: fitting must not hold up the freezing of bars."""
    return await asyncio.to_thread(asyncio.run, _train(context))


async def _train(context: ServiceContext) -> Mapping[str, Json]:
    from analytics.training import Training  # noqa: PLC0415 - listing jobs and commands must not wait for scikit-learn

    writer = RowWriter(context.config.database)
    try:
        async with await Database.connect(context.config.database) as database:
            return await Training(context.config, context.clock, database, writer, context.state_dir).run()
    finally:
        await writer.close()


TRAIN = JobSpec("train", train, cron=lambda config: config.training.cron)
