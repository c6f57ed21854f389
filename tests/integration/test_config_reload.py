"""Goal: settings change under running services without a restart and without a lost row; wrong ones change nothing."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
import tomli_w

from ares.clock import SystemClock
from ares.config import AresConfig, ConfigSource
from ares.control import ControlStore
from ares.service import Health, ServiceContext, ServiceSpec
from ares.service.config_versions import ConfigVersion, ConfigVersions
from ares.service.drift import ask_to_reload, drifts
from ares.service.reload import ConfigReloader
from ares.service.runner import RunOptions, run_service
from tests.helpers import eventually

WAIT_S_MAX = 30.0


@dataclass
class Echo:
    """A small real service that remembers which settings it was given."""

    given: list[AresConfig] = field(default_factory=list)
    starts: int = 0

    async def start(self) -> None:
        self.starts += 1

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def stop(self) -> None:
        pass

    def health(self) -> Health:
        return Health(ready=self.starts > 0)

    def reconfigure(self, config: AresConfig) -> None:
        self.given.append(config)


@dataclass
class Installed:
    """A running service with the file its settings come from."""

    echo: Echo
    context: ServiceContext
    source: ConfigSource
    file: Path
    environ: dict[str, str]

    def write(self, tree: dict[str, object]) -> None:
        """As an editor does it: a new file in place of the old one."""
        self.write_text(tomli_w.dumps(tree))

    def write_text(self, text: str) -> None:
        draft = self.file.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(self.file)

    def history(self) -> list[ConfigVersion]:
        control = ControlStore.open(self.context.control_url)
        try:
            return ConfigVersions(control, SystemClock(), "test").history()
        finally:
            control.close()

    async def recorded(self, number: int) -> list[ConfigVersion]:
        await eventually(lambda: len(self.history()) >= number, WAIT_S_MAX)
        return self.history()


@asynccontextmanager
async def installed(tmp_path: Path) -> AsyncIterator[Installed]:
    folder, state_dir = tmp_path / "own", tmp_path / "state"
    for each in (folder, state_dir):
        each.mkdir()
    file = folder / "mine.toml"
    file.write_text("", encoding="utf-8")
    environ = {"ARES_ENVIRONMENT__STATE_DIR": str(state_dir)}
    source = ConfigSource.of(file=file, environ=environ)
    context = ServiceContext(source.load(), SystemClock(), "echo@test")
    echo = Echo()
    running = asyncio.create_task(
        run_service(ServiceSpec("echo", lambda _: echo), context, RunOptions(source=source)), name="service"
    )
    there = Installed(echo, context, source, file, environ)
    try:
        await there.recorded(1)
        await asyncio.sleep(0.2)  # the watch begins right after the first record
        yield there
    finally:
        if not running.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(running, 20)


async def test_changed_file_is_taken_up_and_recorded(tmp_path: Path) -> None:
    async with installed(tmp_path) as there:
        there.write({"monitoring": {"heartbeat_s": 0.5}})
        await eventually(lambda: there.echo.given, WAIT_S_MAX)
        assert there.context.config.monitoring.heartbeat_s == there.echo.given[-1].monitoring.heartbeat_s == 0.5
        first, second = await there.recorded(2)
        assert (first.cause, second.cause, second.status) == ("start", "file", "changed")
        assert second.changes == [{"field": "monitoring.heartbeat_s", "before": 5.0, "after": 0.5}]
        assert there.echo.starts == 1


async def test_file_that_is_named_from_the_working_directory_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with installed(Path()) as there:
        there.write({"monitoring": {"heartbeat_s": 0.5}})
        await eventually(lambda: there.echo.given, WAIT_S_MAX)


async def test_files_that_cannot_be_watched_are_an_error_in_the_log_and_hang_up_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_more_watches(*_: object, **__: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("ares.service.reload.awatch", no_more_watches)
    async with installed(tmp_path) as there:
        assert "config_not_watched" in capsys.readouterr().out
        there.environ["ARES_MONITORING__HEARTBEAT_S"] = "0.7"
        await asyncio.to_thread(ask_to_reload, there.context.config)
        await eventually(lambda: there.echo.given, WAIT_S_MAX)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[monitoring]\nheartbeat_s = -1", "monitoring.heartbeat_s = -1"),
        ("[monitoring]\nheartbeats = 1", "monitoring.heartbeats = 1: no such setting"),
        ("[monitoring", "cannot be read"),
    ],
)
async def test_invalid_file_changes_nothing_and_says_so(tmp_path: Path, text: str, complaint: str) -> None:
    async with installed(tmp_path) as there:
        before = there.context.config
        there.write_text(text)
        _, refused = await there.recorded(2)
        assert refused.status == "refused"
        assert complaint in refused.error
        assert there.context.config is before
        assert not there.echo.given
        there.write({"monitoring": {"heartbeat_s": 0.5}})
        await eventually(lambda: there.echo.given, WAIT_S_MAX)


async def test_setting_that_needs_a_restart_waits_and_the_rest_is_taken_up(tmp_path: Path) -> None:
    async with installed(tmp_path) as there:
        there.write({"monitoring": {"heartbeat_s": 0.5}, "trading": {"account": "other"}})
        await eventually(lambda: there.echo.given, WAIT_S_MAX)
        assert there.context.config.trading.account == "paper"
        (drift,) = await asyncio.to_thread(drifts, there.source.load())
        assert (drift.service, drift.state, drift.waiting) == ("echo", "waits_for_restart", ("trading.account",))
        there.write({"monitoring": {"heartbeat_s": 0.5}})
        await there.recorded(3)
        (drift,) = await asyncio.to_thread(drifts, there.source.load())
        assert drift.state == "in_step"


async def test_hang_up_and_the_door_on_this_machine_reload_what_the_watch_cannot_see(tmp_path: Path) -> None:
    async with installed(tmp_path) as there:
        there.environ["ARES_MONITORING__HEARTBEAT_S"] = "0.7"
        assert await asyncio.to_thread(ask_to_reload, there.context.config) == ["echo"]
        await eventually(lambda: there.context.config.monitoring.heartbeat_s == 0.7, WAIT_S_MAX)
        card = (there.context.state_dir / "run" / "echo.json").read_text(encoding="utf-8")
        port = int(card.split('"port": ')[1].split(",")[0])
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            answer = await session.post("/-/reload")
            assert (answer.status, await answer.json()) == (200, {"applied": [], "waiting": [], "error": ""})
            there.write_text("[nonsense]\n")
            answer = await session.post("/-/reload")
            assert answer.status == 422
            assert "nonsense" in (await answer.json())["error"]
            assert (await session.get("/config")).status == 200


async def test_supervisor_that_is_hung_up_reloads_itself_and_passes_it_on(tmp_path: Path) -> None:
    environ = {"ARES_ENVIRONMENT__STATE_DIR": str(tmp_path)}
    source = ConfigSource.of(environ=environ)
    context = ServiceContext(source.load(), SystemClock(), "supervisor@test")
    taken_up: list[AresConfig] = []
    passed_on: list[bool] = []
    async with ConfigReloader(source, context, taken_up.append).following(lambda: passed_on.append(True)):
        environ["ARES_ENVIRONMENT__RESTARTS_PER_HOUR_MAX"] = "7"
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: taken_up, WAIT_S_MAX)
    assert taken_up[0].environment.restarts_per_hour_max == 7
    assert passed_on == [True]


async def test_storm_of_edits_leaves_the_last_valid_settings_and_no_restart(tmp_path: Path) -> None:
    rng = random.Random(4)
    edits = int(os.environ.get("ARES_TEST_RELOADS", "30"))
    last_valid = 5.0
    async with installed(tmp_path) as there:
        for number in range(edits):
            if rng.random() < 0.4:
                there.write_text(rng.choice(["[monitoring]\nheartbeat_s = 0", "]", "[ingest]\nsymbols = 7"]))
            else:
                last_valid = 1.0 + number / 1_000
                there.write({"monitoring": {"heartbeat_s": last_valid}})
            await asyncio.sleep(rng.random() * 0.1)
        there.write({"monitoring": {"heartbeat_s": last_valid}})
        await eventually(lambda: there.context.config.monitoring.heartbeat_s == last_valid, WAIT_S_MAX)
        assert there.echo.starts == 1
        assert all(config.monitoring.heartbeat_s >= 1.0 for config in there.echo.given)
        await eventually(lambda: recorded_heartbeat(there.history()[-1]) == last_valid, WAIT_S_MAX)


def recorded_heartbeat(version: ConfigVersion) -> object:
    """What this version says of `monitoring.heartbeat_s`; none where it was refused."""
    settings = version.settings.get("monitoring")
    return settings.get("heartbeat_s") if isinstance(settings, dict) else None
