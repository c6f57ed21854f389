"""Scheduled jobs of analytics."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from ares.control import ControlStore, Json
from ares.service import ServiceContext
from ares.service.jobs import JobSpec
from ares.store import Database, RowWriter

if TYPE_CHECKING:
    from analytics.datasets.maker import Datasets
    from analytics.models.lifecycle import Lifecycle


Progress = Callable[[int, int], None]


async def train(
    context: ServiceContext, progress: Progress | None = None, made_by: str = "train"
) -> Mapping[str, Json]:
    """Fit the direction model, in a thread with a loop of its own: fitting must not hold up the freezing of bars."""
    return await asyncio.to_thread(asyncio.run, _train(context, progress, made_by))


async def _train(context: ServiceContext, progress: Progress | None, made_by: str) -> Mapping[str, Json]:
    from analytics.training import Training  # noqa: PLC0415 - listing jobs and commands must not wait for scikit-learn

    config, clock = context.config, context.clock
    writer = RowWriter(config.database)
    try:
        async with opened(context) as datasets:
            training = Training(config, clock, datasets.database, writer, context.state_dir, datasets, made_by=made_by)
            training.progress = progress or training.progress
            return await training.run()
    finally:
        await writer.close()


async def drift(context: ServiceContext) -> Mapping[str, Json]:
    """Watch the versions in use, in a thread with a loop of its own: it reads a day of features."""
    return await asyncio.to_thread(asyncio.run, _drift(context))


async def _drift(context: ServiceContext) -> Mapping[str, Json]:
    from analytics.models.standing import RecordedStages  # noqa: PLC0415 - as in `_train`
    from analytics.monitoring.watch import DriftWatch  # noqa: PLC0415 - as in `_train`

    async with lifecycle(context) as models:
        watch = DriftWatch(
            context.config,
            context.clock,
            models.database,
            models.writer,
            context.state_dir,
            datasets=models.datasets,
            stages=RecordedStages(models.database),
            demoter=models,
        )
        return await watch.run()


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


async def compare(context: ServiceContext) -> Mapping[str, Json]:
    """Compare champion and challenger by what they said of the same bars, and act on it."""
    return await asyncio.to_thread(asyncio.run, _compare(context))


async def _compare(context: ServiceContext) -> Mapping[str, Json]:
    async with lifecycle(context) as models:
        done = await models.watch(context.config.models.compare_hours, "compare-models")
    if done is None:
        return {"outcome": "no challenger"}
    outcome, found = done
    return {"outcome": outcome, "rows": found.rows, "edge": found.edge, "evidence": found.evidence}


@asynccontextmanager
async def lifecycle(context: ServiceContext) -> AsyncIterator[Lifecycle]:
    """The versions of the model of this installation, with what judging them needs."""
    from analytics.models.lifecycle import Lifecycle  # noqa: PLC0415 - listing must not wait for scikit-learn

    config, writer = context.config, RowWriter(context.config.database)
    try:
        async with opened(context) as datasets:
            yield Lifecycle(config, context.clock, datasets.database, writer, context.state_dir, datasets)
    finally:
        await writer.close()


async def check_features(context: ServiceContext) -> Mapping[str, Json]:
    """Grade what is frozen by the headers of features and signals, and prove of all that they know no future."""
    from analytics.features.checking import Checking, counted  # noqa: PLC0415 - listing jobs must not wait for these
    from analytics.features.own import Own  # noqa: PLC0415 - so it is with this

    config = context.config
    own = Own(config.features.folder(context.state_dir))
    writer = RowWriter(config.database)
    try:
        async with await Database.connect(config.database) as database:
            checking = Checking(config, own, database, writer, context.clock)
            views = (*own.catalog().features, *own.catalog().signals)
            return counted(await checking.run(checking.usual(views)))
    finally:
        await writer.close()


COMPARE = JobSpec("compare-models", compare, cron=lambda config: config.models.compare_cron)
FEATURE_CHECK = JobSpec("feature-check", check_features, cron=lambda config: config.features.check_cron)
TRAIN = JobSpec("train", train, cron=lambda config: config.training.cron)
DRIFT = JobSpec("drift", drift, cron=lambda config: config.drift.cron)
