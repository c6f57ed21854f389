"""The job that looks for processes whose memory only grows."""

from __future__ import annotations

from collections.abc import Mapping

from ares.clock import NANOS_PER_SECOND, to_datetime
from ares.control import Json
from ares.service.jobs import JobSpec
from ares.service.types import ServiceContext
from ares.store import Database, load_queries
from ares.store.pool import as_float, as_str
from ares.telemetry import get_logger

QUERIES = load_queries("ares.service", "queries/resources.sql")
HOUR_S = 3_600

log = get_logger(__name__)


async def find_leaks(context: ServiceContext) -> Mapping[str, Json]:
    """Name every instance whose resident memory grew faster than `resources.leak_mb_per_hour_max`.

    The slope is that of a least-squares line through its heartbeats of the last `resources.leak_window_hours`, its
    first tenth left out: a process that has just started fills its caches. Raises `StoreUnavailable`.
    """
    settings = context.config.resources
    since_ns = context.clock.now_ns() - round(settings.leak_window_hours * HOUR_S * NANOS_PER_SECOND)
    beats_min = settings.leak_window_hours * HOUR_S / context.config.monitoring.heartbeat_s / 2
    async with await Database.connect(context.config.database) as database:
        rows = await database.fetch(
            QUERIES["memory_slopes"],
            {"since": to_datetime(since_ns), "beats_min": round(beats_min), "slope_min": settings.leak_mb_per_hour_max},
        )
    suspects: list[Json] = []
    for row in rows:
        growth = round(as_float(row["mb_per_hour"]), 3)
        log.error("leak_suspected", instance=as_str(row["instance"]), mb_per_hour=growth)
        suspects.append({"instance": as_str(row["instance"]), "mb_per_hour": growth})
    return {"suspects": suspects}


LEAKS = JobSpec("leaks", find_leaks, cron=lambda config: config.resources.leak_cron)
