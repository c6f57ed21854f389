"""Scheduled jobs: run by APScheduler inside a service, or from cron by `ares job run NAME`; a slot runs once."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

import orjson
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger

from ares.clock import NANOS_PER_SECOND, floor_ns
from ares.config.settings import AresConfig
from ares.control import ControlStore, Json
from ares.errors import AresError, ConfigError
from ares.model.row import Cell, Row, UtcNs
from ares.service.runner import end_with_parent, ended
from ares.service.types import ServiceContext
from ares.telemetry import correlation, get_logger, metrics, observability

SLOT_NS = 60 * NANOS_PER_SECOND
"""Cron's own resolution: two starts of a job within one minute are the same slot."""

STOP_S_MAX = 5.0
"""A job apart that is to end with us ends by itself for so long."""

log = get_logger(__name__)

Outcome = Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class JobSpec:
    """How a package offers a job (entry-point group `ares.jobs`); `cron` reads its expression from the config.

    One that is in the group `ares.jobs.apart` too is scheduled in a process of its own.
    """

    name: str
    run: Callable[[ServiceContext], Awaitable[Outcome]]
    cron: Callable[[AresConfig], str]


async def run_job(context: ServiceContext, spec: JobSpec, cause: str) -> Outcome | None:
    """Run a job now and record it in `job_runs`; a failure is recorded, logged and raised again.

    `cause` is "schedule" (the slot runs once among all processes; None means that somebody else has it) or a word
    for who asked, in which case it always runs.
    """
    control = await asyncio.to_thread(ControlStore.open, context.control_url)
    try:
        now_ns = context.clock.now_ns()
        slot_ns = floor_ns(now_ns, SLOT_NS)
        if cause == "schedule" and not control.claim_slot(spec.name, slot_ns, context.instance, now_ns):
            return None
        return await _recorded(context, control, spec, cause, slot_ns)
    finally:
        control.close()


async def _recorded(context: ServiceContext, control: ControlStore, spec: JobSpec, cause: str, slot_ns: int) -> Outcome:
    run_id = uuid.uuid4().hex
    started = Row(
        "job_runs",
        context.clock.now_ns(),
        {"job": spec.name, "cause": cause, "status": "started"},
        {"run_id": run_id, "seq": 0, "slot": UtcNs(slot_ns)},
    )
    control.mirror([started])
    with correlation(run_id):
        try:
            with observability.track("job.run", run_id, job=spec.name):
                outcome = await spec.run(context)
        except Exception as error:
            status = error.code if isinstance(error, AresError) else "crashed"
            _finish(context, control, started, status, {"error": str(error)})
            log.error("job_failed", job=spec.name, cause=status, error=str(error))
            raise
        _finish(context, control, started, "ok", outcome)
        log.info("job_done", job=spec.name, outcome=dict(outcome))
        return outcome


def _finish(context: ServiceContext, control: ControlStore, started: Row, status: str, outcome: Outcome) -> None:
    ended_ns = context.clock.now_ns()
    metrics.JOB_RUNS.labels(started.symbols["job"], status).inc()
    columns: dict[str, Cell] = {
        **started.columns,
        "seq": 1,
        "duration_s": (ended_ns - started.ts_ns) / NANOS_PER_SECOND,
        "outcome": orjson.dumps(dict(outcome)).decode(),
    }
    control.mirror([Row("job_runs", ended_ns, {**started.symbols, "status": status}, columns)])


class JobScheduler:
    """Runs jobs by their cron expressions inside a service's event loop."""

    def __init__(self, context: ServiceContext, specs: Sequence[JobSpec], apart: Sequence[JobSpec] = ()) -> None:
        """`apart`: those that run in processes of their own."""
        self._context = context
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        grace_s = round(context.config.training.misfire_grace_s)
        for spec in (*specs, *apart):
            self._scheduler.add_job(
                self._run_apart if spec in apart else self._run,
                trigger(spec, context.config),
                args=[spec],
                id=spec.name,
                coalesce=True,
                max_instances=1,
                misfire_grace_time=grace_s,
            )

    async def start(self) -> None:
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop scheduling; a job that runs is cancelled with the loop it runs in."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    async def _run(self, spec: JobSpec) -> None:
        try:
            await run_job(self._context, spec, "schedule")
        except AresError as error:
            log.warning("job_will_run_again", job=spec.name, cause=error.code)

    async def _run_apart(self, spec: JobSpec) -> None:
        """`ares job run NAME --scheduled`, which claims the slot and records the run; it ends with us at the latest."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ares.cli", "job", "run", spec.name, "--scheduled"),
            env={**os.environ, "ARES_ENVIRONMENT__STATE_DIR": str(self._context.state_dir)},
            stdin=asyncio.subprocess.DEVNULL,
            preexec_fn=end_with_parent,
        )
        try:
            code = await child.wait()
        finally:
            await ended(child, STOP_S_MAX)
        if code:
            log.warning("job_will_run_again", job=spec.name, cause=f"exit code {code}")


def trigger(spec: JobSpec, config: AresConfig) -> CronTrigger:
    """The job's cron expression as a trigger. Raises `ConfigError` naming the job."""
    expression = spec.cron(config)
    try:
        return CronTrigger.from_crontab(expression, timezone=UTC)
    except ValueError as error:
        way_out = "Five fields: minute hour day month weekday, like */30 * * * *"
        raise ConfigError(f"cron of job {spec.name}", expression, str(error), way_out) from None
