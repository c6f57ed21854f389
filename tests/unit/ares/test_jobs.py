"""Goal: a job's run is a row whatever becomes of it, a slot runs once, a bad cron expression is named."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import psutil
import pytest

from ares.config import AresConfig, load_config
from ares.control import ControlStore, Json
from ares.errors import ConfigError, StoreUnavailable
from ares.service import ServiceContext
from ares.service.jobs import JobScheduler, JobSpec, run_job, trigger
from ares.service.leaks import LEAKS
from ares.service.registry import job as registered
from ares.service.registry import jobs_apart
from ares.testing.clock import SteppedClock


@pytest.fixture
def context(tmp_path: Path) -> ServiceContext:
    config = load_config(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)})
    return ServiceContext(config, SteppedClock(), "test")


def job(outcome: Mapping[str, Json] | Exception, cron: str = "* * * * *") -> JobSpec:
    async def work(_: ServiceContext) -> Mapping[str, Json]:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return JobSpec("work", work, lambda _: cron)


def recorded(context: ServiceContext) -> list[tuple[str, object]]:
    control = ControlStore.open(context.control_url)
    rows = [(entry.row.symbols["status"], entry.row.columns.get("outcome")) for entry in control.outbox(0, 100)]
    control.close()
    return rows


async def test_run_leaves_a_row_at_its_start_and_at_its_end(context: ServiceContext) -> None:
    assert await run_job(context, job({"rows": 5}), "command") == {"rows": 5}
    assert recorded(context) == [("started", None), ("ok", '{"rows":5}')]


async def test_failure_is_recorded_under_its_code_and_raised(context: ServiceContext) -> None:
    with pytest.raises(StoreUnavailable):
        await run_job(context, job(StoreUnavailable("away")), "command")
    assert recorded(context)[-1] == ("store_unavailable", '{"error":"away"}')


async def test_crash_is_recorded_too(context: ServiceContext) -> None:
    with pytest.raises(ZeroDivisionError):
        await run_job(context, job(ZeroDivisionError("x")), "command")
    assert recorded(context)[-1][0] == "crashed"


async def test_scheduled_slot_runs_once_however_many_schedulers_fire(context: ServiceContext) -> None:
    outcomes = [await run_job(context, job({"ran": True}), "schedule") for _ in range(3)]
    assert outcomes == [{"ran": True}, None, None]


async def test_scheduler_starts_jobs_and_stops(context: ServiceContext) -> None:
    scheduler = JobScheduler(context, [job({})])
    await scheduler.start()
    await scheduler._run(job({"n": 1}))
    await scheduler._run(job(StoreUnavailable("away")))
    await scheduler.stop()
    await scheduler.stop()
    assert ("ok", '{"n":1}') in recorded(context)
    await asyncio.sleep(0)


async def test_job_apart_runs_in_a_process_of_its_own_which_records_it(context: ServiceContext) -> None:
    await JobScheduler(context, [])._run_apart(registered("backup-check"))
    rows = recorded(context)
    assert ("started", None) in rows
    assert any(status == "config" and "backup.repository" in str(outcome) for status, outcome in rows), rows


async def test_job_apart_ends_with_its_scheduler(context: ServiceContext) -> None:
    others = psutil.Process().children()
    run = asyncio.create_task(JobScheduler(context, [])._run_apart(LEAKS))
    while not (children := [child for child in psutil.Process().children() if child not in others]):
        await asyncio.sleep(0.01)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert not [child for child in children if child.is_running()]


def test_replay_of_yesterday_is_run_apart() -> None:
    assert [spec.name for spec in jobs_apart()] == ["parity"]


def test_cron_expression_that_is_none_is_named_with_its_job() -> None:
    with pytest.raises(ConfigError, match=r"cron of job work = 'whenever'.*Five fields"):
        trigger(job({}, cron="whenever"), AresConfig())
