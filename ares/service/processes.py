"""The processes that a supervisor looks after: how each is started, asked for readiness, and ended."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from ares.config.settings import AresConfig
from ares.service.logfiles import log_file
from ares.service.runner import end_with_parent
from ares.store.server import EmbeddedQuestDB, RunningServer, healthy, make_dir

QUESTDB = "questdb"


class ManagedProcess(Protocol):
    """One process of an installation."""

    name: str
    depends_on: tuple[str, ...]
    adopted: bool
    """Whether it ran before we came: then we leave it running."""

    def spawn(self) -> None:
        """Start it, held: it loads, and waits for `release` before it works. Returns at once."""
        ...

    def release(self) -> None:
        """Let it work: what it depends on is ready."""
        ...

    def exit_code(self) -> int | None:
        """How it ended, None while it runs."""
        ...

    def ready(self) -> bool:
        """Whether it can do its work; may block for a second."""
        ...

    def end(self, sign: signal.Signals) -> None:
        """Send a signal; harmless when it is gone."""
        ...

    def pid(self) -> int | None: ...

    def last_words(self) -> str:
        """The last line of its log: what it said before it ended."""
        ...


class ChildProcess:
    """A program that we start as a child, its output in <state_dir>/logs/NAME.log; it ends with us at the latest."""

    adopted = False

    def __init__(self, name: str, depends_on: tuple[str, ...], state_dir: Path) -> None:
        self.name = name
        self.depends_on = depends_on
        self._state_dir = state_dir
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return log_file(self._state_dir, self.name)

    def start(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, held: bool = False
    ) -> None:
        """Start it; `held`: with a standard input that is ours to close. Without an `environment` it has ours."""
        make_dir(self.log.parent)
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(  # noqa: S603 - the command line of a subclass, no shell
                command,
                env=environment,
                stdin=subprocess.PIPE if held else subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509 - one prctl call, before any thread of the child exists
            )

    def release(self) -> None:
        if self._child is not None and self._child.stdin is not None:
            with suppress(BrokenPipeError):
                self._child.stdin.close()

    def exit_code(self) -> int | None:
        return None if self._child is None else self._child.poll()

    def end(self, sign: signal.Signals) -> None:
        if self._child is not None and self._child.poll() is None:
            self._child.send_signal(sign)

    def pid(self) -> int | None:
        return None if self._child is None else self._child.pid

    def last_words(self) -> str:
        return last_line(self.log)


class ServiceProcess(ChildProcess):
    """`ares service run NAME` as a child."""

    def __init__(self, name: str, depends_on: tuple[str, ...], state_dir: Path, port: int) -> None:
        super().__init__(name, depends_on, state_dir)
        self._port = port

    @property
    def card(self) -> Path:
        """Where the child says which port it serves its probes on."""
        return self._state_dir / "run" / f"{self.name}.json"

    def spawn(self) -> None:
        self.card.unlink(missing_ok=True)
        self.start(
            [sys.executable, "-m", "ares.cli", "service", "run", self.name, "--port", str(self._port), "--held"],
            {**os.environ, "ARES_ENVIRONMENT__STATE_DIR": str(self._state_dir)},
            held=True,
        )

    def ready(self) -> bool:
        port = self.port()
        return port is not None and answers_ok(f"http://127.0.0.1:{port}/readyz")

    def port(self) -> int | None:
        """Where the child serves its probes, once it does."""
        try:
            card = json.loads(self.card.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return int(card["port"]) if card["pid"] == self.pid() else None


class QuestDBProcess:
    """The embedded QuestDB as a managed process; a server that already runs is adopted and left running."""

    name = QUESTDB
    depends_on: tuple[str, ...] = ()

    def __init__(self, server: EmbeddedQuestDB) -> None:
        self._server = server
        self._running: RunningServer | None = None
        self.adopted = False

    def spawn(self) -> None:
        existing = self._server.running()
        self.adopted = existing is not None
        if existing is None:
            self._server.prepare()
            existing = self._server.spawn(before_exec=end_with_parent)
        self._running = existing

    def release(self) -> None:
        """A database depends on nothing."""

    def exit_code(self) -> int | None:
        """A process that we did not start tells nobody how it ended: any end counts as a failure."""
        return None if self._running is None or self._running.process() is not None else 1

    def ready(self) -> bool:
        return healthy(self._server.config)

    def end(self, sign: signal.Signals) -> None:
        process = self._running.process() if self._running else None
        if process is not None and not self.adopted:
            process.send_signal(sign)

    def pid(self) -> int | None:
        return self._running.pid if self._running else None

    def last_words(self) -> str:
        return last_line(self._server.log)


def last_line(log: Path) -> str:
    """The last line of a file that is not empty, without the word that our own error lines begin with."""
    try:
        lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return lines[-1].removeprefix("error: ") if lines else ""


def answers_ok(url: str, timeout_s: float = 1.0) -> bool:
    """Whether a GET answers 200."""
    try:
        with urlopen(url, timeout=timeout_s) as answer:  # noqa: S310 - our own loopback probes
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


async def wait_gone(process: ManagedProcess, seconds: float) -> bool:
    """Wait for a process to end; False if it did not in time."""
    deadline = asyncio.get_running_loop().time() + seconds
    while process.exit_code() is None:
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


def build_processes(
    config: AresConfig, services: list[tuple[str, tuple[str, ...]]], report: Callable[[str], None]
) -> list[ManagedProcess]:
    """The processes of an installation, QuestDB first when it is embedded."""
    state_dir = config.environment.state_dir.resolve()
    processes: list[ManagedProcess] = []
    if config.database.mode == "embedded":
        processes.append(QuestDBProcess(EmbeddedQuestDB(config.database, state_dir)))
    else:
        report(f"using QuestDB at {config.database.host}:{config.database.http_port}")
    known = {name for name, _ in services} | {process.name for process in processes}
    base = config.monitoring.port_base
    for index, (name, needs) in enumerate(services):
        depends_on = tuple(need for need in needs if need in known)
        processes.append(ServiceProcess(name, depends_on, state_dir, base + index if base else 0))
    return processes


def descendants_alive() -> list[int]:
    """Pids of our own children that still run; what a clean stop leaves empty."""
    return [child.pid for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
