"""Scheduled jobs of analytics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ares.control import ControlStore, Json
from ares.service import JobSpec, ServiceContext
from ares.store import Database, RowWriter

if TYPE_CHECKING:
    from analytics.datasets.maker import Datasets


async def train(context: ServiceContext) -> Mapping[str, Json]:
    """Fit the direction model, in a thread with a loop of its own: fitting must not hold up the freezing of bars."""
    return await asyncio.to_thread(asyncio.run, _train(context))


async def _train(context: ServiceContext) -> Mapping[str, Json]:
    from analytics.training import Training  # noqa: PLC0415 - listing jobs and commands must not wait for scikit-learn

    config, clock = context.config, context.clock
    writer = RowWriter(config.database)
    try:
        async with opened(context) as datasets:
            return await Training(config, clock, datasets.database, writer, context.state_dir, datasets).run()
    finally:
        await writer.close()


@asynccontextmanager
async def opened(context: ServiceContext) -> AsyncIterator[Datasets]:
    """The datasets of this installation, with what they need."""
    from analytics.datasets.maker import Datasets  # noqa: PLC0415 - imports pyarrow, which takes time
    from ares.lake.delta import Lake  # noqa: PLC0415 - so does this

    config = context.config
    lake = Lake.of(config.lake, context.state_dir)
    control = await asyncio.to_thread(ControlStore.open, context.control_url)
    try:
        async with await Database.connect(config.database) as database:
            yield Datasets(config.datasets, config.lineage, lake, database, control, context.clock)
    finally:
        control.close()


TRAIN = JobSpec("train", train, cron=lambda config: config.training.cron)
