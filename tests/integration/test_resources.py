"""Goal: a service keeps to its limits and says what it uses; memory that only grows is noticed."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.settings import DatabaseConfig, EnvironmentConfig, ResourceLimits, ResourcesConfig
from ares.errors import ConfigError, OverMemory
from ares.model.row import Row
from ares.service import Health, ServiceContext, ServiceSpec
from ares.service.leaks import find_leaks
from ares.service.resources import ResourceWatch, apply_limits
from ares.service.runner import RunOptions, run_service
from ares.store import Database, RowWriter

MINUTE_NS = 60_000_000_000


class Idle:
    """A service that does nothing for ever."""

    def __init__(self) -> None:
        self.stopped = False

    async def start(self) -> None: ...

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.stopped = True

    def health(self) -> Health:
        return Health(ready=True)


def test_usage_is_measured() -> None:
    usage = ResourceWatch(ResourceLimits()).measure()
    assert usage.resident_mb > 10
    assert usage.open_files >= 3
    assert usage.threads >= 1
    assert usage.cpu_s > 0


async def test_service_that_outgrew_its_memory_ends_in_order_with_the_reason(tmp_path: Path) -> None:
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        resources=ResourcesConfig(limits={"idle": ResourceLimits(memory_mb_max=1)}),
    )
    idle = Idle()
    context = ServiceContext(config, SystemClock(), "idle@test")
    with pytest.raises(OverMemory, match=r"memory_mb_max = 1\b"):
        await run_service(ServiceSpec("idle", lambda _: idle), context, RunOptions())
    assert idle.stopped


def test_limits_of_files_processors_and_niceness_are_taken_on() -> None:
    script = (
        "import os, resource; from ares.config.settings import ResourceLimits; "
        "from ares.service.resources import apply_limits; "
        "apply_limits(ResourceLimits(open_files_max=64, cpus=(0,), nice=3), 'x'); "
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0], os.sched_getaffinity(0), os.nice(0))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.split() == ["64", "{0}", str(os.nice(0) + 3)]


@pytest.mark.parametrize(
    ("limits", "complaint"),
    [
        (ResourceLimits(cpus=(4096,)), r"resources\.limits\.x\.cpus = \[4096\]: no such processor"),
        (ResourceLimits(open_files_max=2**40), r"resources\.limits\.x\.open_files_max = .*the system allows"),
    ],
)
def test_limit_that_the_system_cannot_give_is_refused_by_name(limits: ResourceLimits, complaint: str) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] == resource.RLIM_INFINITY and limits.open_files_max:
        pytest.skip("this system sets no hard limit of descriptors")
    with pytest.raises(ConfigError, match=complaint):
        apply_limits(limits, "x")


async def test_memory_that_only_grows_is_suspected_and_memory_that_swings_is_not(
    venue: str, questdb_config: DatabaseConfig, database: Database, writer: RowWriter, tmp_path: Path
) -> None:
    clock = SystemClock()
    start_ns = clock.now_ns() - 60 * MINUTE_NS
    rows = []
    for minute in range(60):
        grown = 100.0 + minute  # 60 MiB an hour
        for name, resident_mb in (("leaking", grown), ("steady", 100.0 + minute % 5)):
            symbols = {"service": name, "instance": f"{name}@{venue}", "state": "ready", "version": "0"}
            rows.append(Row("services", start_ns + minute * MINUTE_NS, symbols, {"resident_mb": resident_mb}))
    await writer.write(rows)
    await database.wait_applied(["services"])
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path),
        database=questdb_config,
        resources=ResourcesConfig(leak_window_hours=1.5),
    )
    config = config.model_copy(update={"monitoring": config.monitoring.model_copy(update={"heartbeat_s": 60.0})})
    outcome = await find_leaks(ServiceContext(config, clock, "test"))
    suspects = outcome["suspects"]
    assert isinstance(suspects, list)
    ours = [each for each in suspects if isinstance(each, dict) and str(each["instance"]).endswith(venue)]
    assert [(each["instance"], round(float(str(each["mb_per_hour"])))) for each in ours] == [(f"leaking@{venue}", 60)]


async def test_slow_statement_is_logged_without_its_parameters(
    questdb_config: DatabaseConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    impatient = questdb_config.model_copy(update={"slow_statement_s": 0.000_001})
    async with await Database.connect(impatient) as database:
        await database.fetch("SELECT %(word)s AS word FROM long_sequence(1)", {"word": "hush-hush"})
    said = capsys.readouterr()
    assert "slow_statement" in said.out + said.err
    assert "hush-hush" not in said.out + said.err
