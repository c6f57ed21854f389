"""What can be done to a running Ares on purpose, and who notices: the parts of the incident drill."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from aiohttp import web

from alerting.receiver.events import REGISTRY, AlertActed, AlertFired
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.model.row import Row
from ares.service.drift import Card, cards
from ares.store import Database, RowWriter
from ares.store.server import EmbeddedQuestDB
from tests.conftest import free_port
from tests.helpers import ROOT
from tests.sql_alerts import moved

CLOCK = SystemClock()
LOOK_S = 0.5
NOTED_S_MAX = 30
ENDED_S_MAX = 90
GRAFANA = os.environ.get("ARES_TEST_GRAFANA", "")
"""The folder of a Grafana, where one is to be killed, too."""
WATCHERS = 2 + bool(GRAFANA)


@dataclass(frozen=True, slots=True)
class Incident:
    """`alert` has to fire within `told_s`, and to end within `over_s` of `recover`. `acts`: what trading does."""

    name: str
    alert: str
    told_s: float
    over_s: float
    inject: Callable[[], Awaitable[None]]
    recover: Callable[[], Awaitable[None]]
    acts: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Seconds from injection until it was told, noted by the receiver, acted on; from recovery until it was over."""

    incident: Incident
    told_s: float
    noted_s: float
    acted_s: float | None
    over_s: float

    def line(self) -> str:
        """A row of the table."""
        acted = "people are told" if self.acted_s is None else f"{self.incident.acts} after {self.acted_s:.1f} s"
        names = f"{self.incident.name:<16} {self.incident.alert:<16}"
        detected = f"{self.told_s:7.1f} ({self.incident.told_s:.0f})"
        return (
            f"{names} {detected:>14} {self.noted_s:7.1f}  {acted:<28} {self.over_s:7.1f} ({self.incident.over_s:.0f})"
        )


HEAD = f"{'incident':<16} {'alert':<16} {'told s (max)':>14} {'noted s':>7}  {'action':<28} {'over s (max)':>12}"


@dataclass
class Installation:
    """A whole Ares on this machine with what watches it, each a process of its own."""

    folder: Path
    database: DatabaseConfig
    ports: Mapping[str, int]
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def repository(self) -> Path:
        """Where backups go."""
        return self.folder / "repository"

    def variables(self) -> dict[str, str]:
        """The settings of everything that runs here."""
        settings: dict[str, object] = {
            "ENVIRONMENT__STATE_DIR": self.folder,
            "DATABASE__HTTP_PORT": self.database.http_port,
            "DATABASE__PG_PORT": self.database.pg_port,
            "DATABASE__HEALTH_PORT": self.database.health_port,
            "MONITORING__PORT_BASE": 0,
            "TRADING__CONTROL_PORT": 0,
            "SIMULATOR__PORT": self.ports["simulator"],
            "VENUES__SIM__REST_URL": f"http://127.0.0.1:{self.ports['simulator']}",
            "VENUES__SIM__WS_URL": f"ws://127.0.0.1:{self.ports['simulator']}",
            "ALERTING__PORT": self.ports["alerts"],
            "ALERTING__PROMETHEUS_PORT": self.ports["prometheus"],
            "ALERTING__ALERTMANAGER_PORT": self.ports["alertmanager"],
            "ALERTING__GRAFANA_PORT": self.ports["grafana"],
            **({"ALERTING__GRAFANA_HOME": GRAFANA} if GRAFANA else {}),
            "MONITORING__OTLP_URL": f"http://127.0.0.1:{self.ports['traces']}",
            "MONITORING__TRACE_SHARE": 1,
            "BACKUP__REPOSITORY": self.repository,
            "BACKUP__CRON": "* * * * *",
        }
        return {f"ARES_{name}": str(value) for name, value in settings.items()}

    def start(self, name: str, *arguments: str) -> None:
        """A command of Ares, which says what it has to say in NAME.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running.append(
                subprocess.Popen(
                    [sys.executable, "-m", "ares.cli", *arguments],
                    cwd=ROOT, env={**os.environ, **self.variables()}, stdout=log, stderr=log,
                )
            )  # fmt: skip

    def all_run(self) -> bool:
        """Whether none of them has ended."""
        return all(each.poll() is None for each in self.running)

    def words(self) -> str:
        """What they said last."""
        return "\n".join(f"{path.name}: {path.read_text()[-1_500:]}" for path in sorted(self.folder.glob("*.log")))

    def process(self, service: str) -> psutil.Process:
        """Of a service that runs here."""
        return psutil.Process(self._card(service).pid)

    def signal(self, service: str, number: signal.Signals) -> None:
        """Stop, continue or kill a service."""
        self.process(service).send_signal(number)

    def watchers(self) -> list[psutil.Process]:
        """Prometheus and Alertmanager, and Grafana where there is one."""
        started = [child for each in self.running for child in psutil.Process(each.pid).children(recursive=True)]
        return [each for each in started if each.name().startswith(("prometheus", "grafana"))]

    async def cycles(self, http: aiohttp.ClientSession) -> Mapping[str, float]:
        """The trader's cycles so far, by outcome."""
        async with http.get(f"http://127.0.0.1:{self._card('trader').port}/metrics") as answer:
            found = re.findall(
                r'^ares_trader_cycles_total\{outcome="(\w+)"\} (\S+)$', await answer.text(), re.MULTILINE
            )
        return {outcome: float(count) for outcome, count in found}

    def database_process(self) -> psutil.Process:
        """QuestDB's."""
        running = EmbeddedQuestDB(self.database, self.folder).running()
        process = None if running is None else running.process()
        assert process is not None, "QuestDB runs"
        return process

    async def write(self, *aged: tuple[float, Row]) -> None:
        """Rows by their age in seconds, applied."""
        writer = RowWriter(self.database)
        rows = moved(aged, CLOCK.now_ns())
        await writer.write(rows)
        await writer.close()
        async with await Database.connect(self.database) as database:
            await database.wait_applied({row.table for row in rows})

    async def firing(self, http: aiohttp.ClientSession) -> set[str]:
        """Names of what Alertmanager knows to fire."""
        async with http.get(f"http://127.0.0.1:{self.ports['alertmanager']}/api/v2/alerts") as answer:
            return {each["labels"]["alertname"] for each in await answer.json()}

    def noted(self, name: str, since_ns: int) -> bool:
        """Whether the receiver wrote down that it fires."""
        return any(isinstance(body, AlertFired) and body.name == name for body in self._bodies("alert", since_ns))

    def acted(self, name: str, since_ns: int) -> str | None:
        """What the receiver did because of it."""
        for body in self._bodies("alert_action", since_ns):
            if isinstance(body, AlertActed) and body.name == name:
                return f"{body.outcome}: {body.detail}"
        return None

    def _card(self, service: str) -> Card:
        return next(each for each in cards(self.folder) if each.service == service)

    def _bodies(self, category: str, since_ns: int) -> list[object]:
        control = ControlStore.open(f"sqlite:///{self.folder / 'control.db'}")
        try:
            stored = list(control.category(category, control.log_end()))
        finally:
            control.close()
        return [REGISTRY.read(each).body for each in stored if each.ts_ns >= since_ns]

    def end(self) -> None:
        """Last started, first ended."""
        for process in reversed(self.running):
            process.send_signal(signal.SIGTERM)
            process.wait(ENDED_S_MAX)


class Drill:
    """Injects, watches, recovers."""

    def __init__(self, there: Installation, http: aiohttp.ClientSession) -> None:
        self._there = there
        self._http = http

    async def run(self, incident: Incident) -> Told:
        """One incident from its injection to its end. Fails by name where something is too late."""
        began_s, began_ns = CLOCK.monotonic_s(), CLOCK.now_ns()
        assert incident.alert not in await self._there.firing(self._http), f"{incident.alert} fires before it may"
        await incident.inject()

        async def until(condition: Callable[[], Awaitable[bool]], limit_s: float, what: str) -> float:
            start_s = CLOCK.monotonic_s()
            while not await condition():
                late = f"{incident.name}: {incident.alert} not {what} in {limit_s} s\n{self._there.words()}"
                assert CLOCK.monotonic_s() - start_s < limit_s, late
                await asyncio.sleep(LOOK_S)
            return CLOCK.monotonic_s()

        async def fires() -> bool:
            return incident.alert in await self._there.firing(self._http)

        async def is_over() -> bool:
            return not await fires()

        async def noted() -> bool:
            return await asyncio.to_thread(self._there.noted, incident.alert, began_ns)

        async def acted() -> bool:
            return bool(await asyncio.to_thread(self._there.acted, incident.alert, began_ns))

        told_s = await until(fires, incident.told_s, "told") - began_s
        noted_s = await until(noted, NOTED_S_MAX, "noted") - began_s
        acted_s = None
        if incident.acts:
            acted_s = await until(acted, NOTED_S_MAX, "acted on") - began_s
            assert self._there.acted(incident.alert, began_ns) == f"done: the trader is {incident.acts}"
        await incident.recover()
        recovered_s = CLOCK.monotonic_s()
        over_s = await until(is_over, incident.over_s, "over") - recovered_s
        told = Told(incident, told_s, noted_s, acted_s, over_s)
        sys.stdout.write(told.line() + "\n")
        sys.stdout.flush()
        return told


@asynccontextmanager
async def collector_of_traces(port: int) -> AsyncIterator[list[bytes]]:
    """Takes what is sent, as any OTLP collector does; gone after the block."""
    taken: list[bytes] = []

    async def take(request: web.Request) -> web.Response:
        taken.append(await request.read())
        return web.Response()

    app = web.Application()
    app.router.add_post("/{path:.*}", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield taken
    finally:
        await runner.cleanup()


@contextmanager
def installed(folder: Path) -> Iterator[Installation]:
    """Everything started, as an operator starts it."""
    database = DatabaseConfig(http_port=free_port(), pg_port=free_port(), health_port=free_port(), heap_mb=1024)
    names = ("simulator", "alerts", "prometheus", "alertmanager", "grafana", "traces")
    there = Installation(folder, database, {name: free_port() for name in names})
    try:
        there.start("up", "up", "--with-exchange")
        there.start("alerts", "service", "run", "alerts")
        there.start("ops", "ops", "up")
        yield there
    finally:
        there.end()
