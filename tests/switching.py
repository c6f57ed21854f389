"""Two real traders of one account, a collector, a mirror, a QuestDB and the simulated exchange, each a process.

They are killed, stopped and cut off while one trader lets the other lead.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import aiohttp

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore
from ares.errors import AresError
from ares.model.row import Row, UtcNs
from ares.service.trader_door import address_path, token_path
from ares.store import RowWriter
from ares.store.server import EmbeddedQuestDB, port_is_free
from tests.conftest import free_port
from tests.helpers import ROOT
from tests.questdb import serving, small
from trader.handover.log import HandoverLog, Leading

CLOCK = SystemClock()
ACCOUNT, VENUE = "paper", "sim"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
STRATEGY = "signal_momentum"
FLIP_S = 1.0
LEASE_S = 9.5
READY_S_MAX = 600.0
COLORS = ("blue", "green")
Answer = dict[str, object]


class Cut:
    """A way to QuestDB that can be cut: who is connected is thrown out, who comes is not let in."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def connect(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._open):
            writer.close()
        await asyncio.sleep(0)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.close()
            return
        self._open |= {writer, back}
        try:
            await asyncio.gather(_pour(reader, back), _pour(there, writer))
        finally:
            for each in (writer, back):
                each.close()
                self._open.discard(each)


async def _pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await source.read(65_536):
            target.write(chunk)
            await target.drain()
    target.close()


@dataclass
class Place:
    """The processes, and what they are started with. `step` runs a command line as an operator does."""

    folder: Path
    config: DatabaseConfig
    server: EmbeddedQuestDB
    exchange_port: int = field(default_factory=free_port)
    processes: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    cuts: dict[str, Cut] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)

    @property
    def exchange(self) -> str:
        return f"http://127.0.0.1:{self.exchange_port}"

    def variables(self, color: str = "") -> dict[str, str]:
        """The settings, as a user sets them; each trader has its own way to QuestDB."""
        own = {
            "ENVIRONMENT__STATE_DIR": self.folder,
            "DATABASE__HTTP_PORT": self.config.http_port,
            "DATABASE__PG_PORT": self.cuts[color].port if color in self.cuts else self.config.pg_port,
            "DATABASE__HEALTH_PORT": self.config.health_port,
            "VENUES__SIM__REST_URL": self.exchange,
            "VENUES__SIM__WS_URL": self.exchange.replace("http", "ws"),
            "VENUES__SIM__API_KEY": "dev-key",
            "VENUES__SIM__API_SECRET": "dev-secret",
            "VENUES__SIM__REQUEST_TIMEOUT_S": 2,
            "INGEST__VENUE": VENUE,
            "INGEST__SYMBOLS": json.dumps(SYMBOLS),
            "INGEST__BACKFILL_TRADES_HOURS": 0,
            "INGEST__BACKFILL_BARS_HOURS": 0,
            "INGEST__BACKOFF_S_MIN": 0.1,
            "INGEST__BACKOFF_S_MAX": 1.0,
            "TRADING__VENUE": VENUE,
            "TRADING__ACCOUNT": ACCOUNT,
            "TRADING__STRATEGIES": json.dumps([{"name": STRATEGY, "max_position_quote": "1000"}]),
            "TRADING__RISK__DUPLICATE_S": 0.2,
            "TRADING__RISK__ORDERS_PER_MINUTE_MAX": 1_000,
            "TRADING__RISK__DAILY_LOSS_QUOTE_MAX": 15_000,
            "TRADING__RISK__DRAWDOWN_MAX": 0.9,
            "TRADING__CYCLE_S": 0.5,
            "TRADING__SWEEP_S": 0.3,
            "TRADING__UNKNOWN_POLL_S": 0.2,
            "TRADING__UNKNOWN_VISIBILITY_S": 1,
            "TRADING__LEASE_S": LEASE_S,
            "TRADING__CONTROL_PORT": 0,
            "MONITORING__PORT_BASE": 0,
            "MONITORING__HEARTBEAT_S": 2,
            "ALERTING__ALERTMANAGER_PORT": 9,
        }
        plain = {k: v for k, v in os.environ.items() if not k.startswith("ARES_")}
        return plain | {f"ARES_{name}": str(value) for name, value in own.items()}

    async def spawn(self, name: str, *words: str, color: str = "") -> None:
        """Start a process that says what it has to say in NAME.log."""
        with self.log(name).open("ab") as out:
            self.processes[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "ares.cli", *words),
                env=self.variables(color),
                cwd=ROOT,
                stdout=out,
                stderr=out,
            )

    async def serve(self, service: str) -> None:
        await self.spawn(service, "service", "run", service)

    async def trade(self, color: str) -> None:
        """Start the trader of a colour."""
        await self.spawn(color, "service", "run", "trader", "--color", color, color=color)

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def tail(self, name: str) -> str:
        return self.log(name).read_text(encoding="utf-8")[-4_000:]

    def lines(self, name: str) -> int:
        """How much a process has said so far, in bytes."""
        return self.log(name).stat().st_size

    async def says(self, name: str, word: str, since: int, seconds: float = 300.0) -> bool:
        """Whether it says something new within so long; looked for every few milliseconds."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            with self.log(name).open("rb") as file:
                file.seek(since)
                if word.encode() in file.read():
                    return True
            await asyncio.sleep(0.005)
        return False

    async def meets(self, command: asyncio.subprocess.Process, name: str, word: str, since: int) -> None:
        """Wait until a process says something new, or the command ends, whose words then tell why it did not."""
        ends = asyncio.create_task(command.wait())
        try:
            while not ends.done() and not await self.says(name, word, since, 0.05):
                pass
        finally:
            ends.cancel()

    async def kill(self, name: str) -> None:
        """-9, as a machine that loses its power does."""
        process = self.processes[name]
        if process.returncode is None:
            process.kill()
        await process.wait()

    def sign(self, name: str, sign: signal.Signals) -> None:
        if self.processes[name].returncode is None:
            self.processes[name].send_signal(sign)

    async def freeze(self, name: str) -> None:
        """Stop a process, at a moment at which it does not write to the control store.

        SQLite would be kept from all others until it goes on or is killed. A Postgres ends its write
        (`tests/integration/test_control_postgres.py`).
        """
        while True:
            self.sign(name, signal.SIGSTOP)
            with suppress(sqlite3.OperationalError), self.control_locked(1.0):
                return
            self.sign(name, signal.SIGCONT)
            await asyncio.sleep(0.01)

    async def restart_store(self) -> None:
        """QuestDB dies and is started again."""
        running = self.server.running()
        assert running is not None
        os.kill(running.pid, signal.SIGKILL)
        async with asyncio.timeout(20):  # its other threads end after it is gone, and keep its ports until then
            while not port_is_free(self.config.host, self.config.http_port):
                await asyncio.sleep(0.05)
        await asyncio.to_thread(self.server.start)

    @contextmanager
    def control_locked(self, wait_s: float = 20.0) -> Iterator[None]:
        """Nobody can write to the control store meanwhile."""
        with closing(sqlite3.connect(self.folder / "control.db", timeout=wait_s, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.rollback()

    async def told(self, color: str, seconds: float = 1.0) -> Answer | None:
        """What a trader says about hand-overs; None if it says nothing."""
        try:
            address, token = (path(self.folder, color).read_text() for path in (address_path, token_path))
            timeout = aiohttp.ClientTimeout(total=seconds)
            headers = {"Authorization": f"Bearer {token}"}
            async with (
                aiohttp.ClientSession(f"http://{address}", timeout=timeout, headers=headers) as http,
                http.get("/handover") as answer,
            ):
                return cast("Answer", await answer.json())
        except (OSError, aiohttp.ClientError, TimeoutError):
            return None

    async def leads(self, color: str, seconds: float = READY_S_MAX) -> float:
        """Wait until a trader leads and trades; returns the seconds."""
        began_s = time.monotonic()
        while time.monotonic() - began_s < seconds:
            told = await self.told(color)
            if told is not None and told["leads"] and told["ready"]:
                return time.monotonic() - began_s
            await asyncio.sleep(0.1)
        raise AssertionError(f"{color} does not lead after {seconds:g} s: {self.tail(color)}")

    async def stands_by(self, color: str, seconds: float = READY_S_MAX) -> None:
        """Wait until a trader stands by, warm; started again if it ended, as a supervisor does."""
        deadline_s = time.monotonic() + seconds
        while time.monotonic() < deadline_s:
            if self.processes[color].returncode is not None:
                self.restarts[color] = self.restarts.get(color, 0) + 1
                await self.trade(color)
            told = await self.told(color)
            if told is not None and not told["leads"] and told["doing"] == "standing by":
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{color} does not stand by after {seconds:g} s: {self.tail(color)}")

    async def leader(self) -> str:
        """Who leads and trades now, once somebody does."""
        deadline_s = time.monotonic() + READY_S_MAX
        while time.monotonic() < deadline_s:
            for color in COLORS:
                told = await self.told(color)
                if told is not None and told["leads"] and told["ready"]:
                    return color
            await asyncio.sleep(0.1)
        raise AssertionError(f"nobody leads: {self.tail('blue')} {self.tail('green')}")

    async def deploy(self, *words: str) -> asyncio.subprocess.Process:
        """`ares deploy …`, begun; `ended` waits for it."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ares.cli", "deploy", *words),
            env=self.variables(),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    def control(self) -> ControlStore:
        return ControlStore.open(f"sqlite:///{self.folder / 'control.db'}")

    async def log_now(self) -> Leading:
        """Who leads, by the log."""
        control = self.control()
        try:
            return await HandoverLog(control, ACCOUNT, CLOCK).refresh()
        finally:
            control.close()


async def ended(process: asyncio.subprocess.Process, seconds: float = 400.0) -> tuple[int, str]:
    """The exit code of a command, and what it said."""
    async with asyncio.timeout(seconds):
        out, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode()


async def feed_signals(writer: RowWriter) -> None:
    """A signal for each symbol that turns from all to nothing and back; while QuestDB is away there is none."""
    while True:
        now_ns = CLOCK.now_ns()
        target = 1.0 if now_ns // round(FLIP_S * NANOS_PER_SECOND) % 2 else 0.0
        about = {"venue": VENUE, "strategy": STRATEGY, "known_at_kind": "live"}
        values = {"version": 1, "revision": 0, "target": target, "confidence": 1.0, "known_at": UtcNs(now_ns)}
        with suppress(AresError):
            await writer.write([Row("signal_values", now_ns, {**about, "symbol": s}, dict(values)) for s in SYMBOLS])
        await asyncio.sleep(0.25)


@asynccontextmanager
async def placed(folder: Path) -> AsyncIterator[Place]:
    """Everything runs, blue leads, green stands by; all of it ends with the block."""
    config = small()
    with serving(config, folder, schema=True) as server:
        there = Place(folder, config, server)
        for color in COLORS:
            there.cuts[color] = Cut(free_port(), config.pg_port)
            await there.cuts[color].connect()
        writer = RowWriter(config)
        feeding: asyncio.Task[None] | None = None
        try:
            exchange = (
                "simulate",
                "exchange",
                "--port",
                str(there.exchange_port),
                "--state-dir",
                str(folder / "venue"),
            )
            await there.spawn("exchange", *exchange)
            assert await there.says("exchange", "listening on", 0, READY_S_MAX), there.tail("exchange")
            for service in ("mirror", "ingest"):
                await there.serve(service)
            feeding = asyncio.create_task(feed_signals(writer))
            await there.trade("blue")
            await there.leads("blue")
            await there.trade("green")
            await there.stands_by("green")
            yield there
        finally:
            if feeding is not None:
                feeding.cancel()
                await asyncio.gather(feeding, return_exceptions=True)
            await writer.close()
            for name, process in there.processes.items():
                there.sign(name, signal.SIGCONT)
                if process.returncode is None:
                    process.kill()
                await process.wait()
            for cut in there.cuts.values():
                await cut.cut()


Failure = Callable[[Place, str, str], Coroutine[None, None, "Outcome"]]


@dataclass
class Outcome:
    """One step of the rehearsal: who was to lead, who leads, and how long that took, in seconds."""

    failure: str
    to: str
    leads: str = ""
    lead_s: float | None = None
    back_s: float | None = None
    said: str = ""
