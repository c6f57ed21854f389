"""The restore drill as a job."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from ares.control import ControlStore, Json
from ares.service import ServiceContext
from ares.service.jobs import JobSpec
from backup.drill.run import Drill, outcome


def spec(report: Callable[[str], None] = lambda _: None) -> JobSpec:
    """The job, telling of its steps."""

    async def drill(context: ServiceContext) -> Mapping[str, Json]:
        control = await asyncio.to_thread(ControlStore.open, context.control_url)
        try:
            return outcome(await Drill(context, control, report).run())
        finally:
            control.close()

    return JobSpec("restore-drill", drill, cron=lambda config: config.backup.drill_cron)


DRILL = spec()
