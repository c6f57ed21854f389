"""All services of one machine under one supervisor: checked before anything starts, stopped in order."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import psutil

from ares.clock import SystemClock
from ares.config import AresConfig, ConfigSource
from ares.control import ControlStore
from ares.errors import PortInUse, ServerFailed, UsageError
from ares.service.beside import beside
from ares.service.drift import cards
from ares.service.logfiles import foreign_log_kept_small, log_file
from ares.service.processes import QUESTDB, ServiceProcess, answers_ok, build_processes
from ares.service.registry import service
from ares.service.releases import migrate_schema
from ares.service.reload import ConfigReloader
from ares.service.supervisor import Supervisor
from ares.service.tls import ports
from ares.service.types import ServiceContext
from ares.store.server import EmbeddedQuestDB, healthy, make_dir, port_is_free, resolve_jar, resolve_java

Report = Callable[[str], None]


class Installation:
    """The processes named, plus QuestDB when it is embedded.

    >>> async with Installation(config, ["mirror", "ingest"], print).running() as supervisor:
    ...     ...
    """

    def __init__(
        self, config: AresConfig, names: list[str], report: Report, source: ConfigSource | None = None
    ) -> None:
        self.config = config
        self._source = source
        self.state_dir = config.environment.state_dir.resolve()
        self._context = ServiceContext(config, SystemClock(), f"supervisor@{socket.gethostname()}:{os.getpid()}")
        self._report = report
        self._names = names
        services = [(name, service(name).depends_on) for name in names]
        self.processes = build_processes(config, services, report)
        self.supervisor = Supervisor(self.processes, config.environment, SystemClock(), report)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Supervisor]:
        """Check, start, watch; whatever ends the block, everything is stopped in order; failed watching ends it.

        Raises before anything is started: `PortInUse`, `StateDirUnusable`, `ServerFailed` (no Java, no artifact),
        `UsageError` when this state directory is in use already.
        """
        await asyncio.to_thread(self.preflight)
        card = self._take_card()
        try:
            await self.supervisor.start({QUESTDB: self._migrate})
            if self.config.database.mode == "remote":
                await self._migrate()
            async with beside(self.supervisor.run(), "supervisor"), self._following(), self._logs():
                yield self.supervisor
        finally:
            await self.supervisor.stop()
            card.unlink(missing_ok=True)

    def _following(self) -> AbstractAsyncContextManager[None]:
        """Take up changed settings; SIGHUP reloads here and, through us, in every service.

        Not on a terminal: there SIGHUP means that it was closed, which ends us.
        """
        if self._source is None:
            return nullcontext()
        settings = ConfigReloader(
            self._source, self._context, lambda config: self.supervisor.reconfigure(config.environment)
        )
        return settings.following(self.supervisor.hang_up, hang_up=not os.isatty(0))

    def _logs(self) -> AbstractAsyncContextManager[None]:
        """QuestDB cannot rotate what it says."""
        return foreign_log_kept_small(self._context, log_file(self._context.state_dir, QUESTDB))

    def preflight(self) -> None:
        """Find out now what would fail in a minute."""
        for folder in ("run", "logs"):
            make_dir(self.state_dir / folder)
        self.require_no_other_supervisor()
        self.require_free_ports()
        ControlStore.open(ServiceContext(self.config, SystemClock(), "preflight").control_url).close()
        if self.config.database.mode == "embedded":
            self._preflight_questdb()
        elif not healthy(self.config.database):
            host, port = self.config.database.host, self.config.database.health_port
            raise ServerFailed(
                f"database.host = {host!r}: no QuestDB answers at {host}:{port}. Start it or set its ports"
            )

    def _preflight_questdb(self) -> None:
        resolve_java()
        self._report(f"QuestDB {self.config.database.questdb_version}: looking for its artifact")
        resolve_jar(self.config.database.questdb_version)
        server = EmbeddedQuestDB(self.config.database, self.state_dir)
        if server.running() is None:
            server.prepare()

    def require_free_ports(self) -> None:
        """Raises `PortInUse` for the first configured port that another program has."""
        config = self.config
        wanted = [("trading.control_port", config.trading.control_host, config.trading.control_port)]
        if "exchange" in self._names:
            wanted.append(("simulator.port", config.simulator.host, config.simulator.port))
        if "tls" in self._names:
            wanted += [(field, config.tls.host, port) for field, port in ports(config.tls)]
        if config.monitoring.port_base:
            count = sum(isinstance(process, ServiceProcess) for process in self.processes)
            base = config.monitoring.port_base
            wanted += [("monitoring.port_base", config.monitoring.host, base + index) for index in range(count)]
        for field, host, port in wanted:
            if port and not port_is_free(host, port):
                raise PortInUse(field, host, port)

    def require_no_other_supervisor(self) -> None:
        """Raises `UsageError` if this state directory is supervised already."""
        pid = _supervisor_pid(self.state_dir)
        if pid is not None:
            raise UsageError(
                f"environment.state_dir = {str(self.state_dir)!r}: pid {pid} supervises it already. "
                "Stop that one, or choose another directory"
            )

    def _take_card(self) -> Path:
        card = self.state_dir / "run" / "supervisor.json"
        own = psutil.Process()
        card.write_text(json.dumps({"pid": own.pid, "started_at_s": own.create_time()}), encoding="utf-8")
        return card

    async def _migrate(self) -> None:
        applied = await migrate_schema(self._context)
        self._report(f"schema: {applied.tables} tables, {len(applied.views)} views deployed")
        if applied.waiting:
            self._report(
                f"{len(applied.waiting)} post migrations wait: once no older release runs, ares db migrate --post"
            )


def stop_on_signals() -> Stopping:
    """Turn SIGTERM and SIGINT into a wish to stop: it cancels the calling task until that one says `listen`."""
    stopping = Stopping(asyncio.current_task())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.ask)
    return stopping


class Stopping(asyncio.Event):
    """Set when somebody asked us to stop; before `listen` such a wish cancels the task instead."""

    def __init__(self, task: asyncio.Task[None] | None) -> None:
        super().__init__()
        self._task = task

    def listen(self) -> None:
        """From now on the task looks at the event by itself."""
        self._task = None

    def ask(self) -> None:
        self.set()
        if self._task is not None:
            self._task.cancel()


def _supervisor_pid(state_dir: Path) -> int | None:
    """Who supervises this directory now; a card left by a killed one counts for nothing."""
    try:
        card = json.loads((state_dir / "run" / "supervisor.json").read_text(encoding="utf-8"))
        same = abs(psutil.Process(card["pid"]).create_time() - card["started_at_s"]) < 1
    except (OSError, ValueError, KeyError, psutil.Error):
        return None
    return int(card["pid"]) if same else None


def service_states(config: AresConfig) -> list[dict[str, object]]:
    """What the cards in the state directory and the probes behind them say."""
    state_dir = config.environment.state_dir.resolve()
    states: list[dict[str, object]] = []
    server = EmbeddedQuestDB(config.database, state_dir).running()
    if server is not None:
        state = "ready" if healthy(config.database) else "not_ready"
        states.append({"service": QUESTDB, "state": state, "pid": server.pid, "port": server.health_port})
    for card in cards(state_dir):
        state = "ready" if answers_ok(f"http://127.0.0.1:{card.port}/readyz") else "not_ready"
        states.append({"service": card.service, "state": state, "pid": card.pid, "port": card.port})
    return states
