"""The job `parity`, for the registry: listing jobs must not wait for the trader."""

from __future__ import annotations

from collections.abc import Mapping

from ares.control import Json
from ares.service import ServiceContext
from ares.service.jobs import JobSpec


async def run(context: ServiceContext) -> Mapping[str, Json]:
    """Replay yesterday, and compare."""
    from backtest.parity.job import compare_yesterday  # noqa: PLC0415 - imports the trader and pyarrow

    return await compare_yesterday(context)


PARITY = JobSpec("parity", run, cron=lambda config: config.parity.cron)
