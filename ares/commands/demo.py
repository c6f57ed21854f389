"""`ares demo`: the whole platform on one machine, against an exchange that replays real recordings."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.live import Live

from ares.clock import SystemClock, to_datetime
from ares.commands.db import console_address, psql_command
from ares.commands.demo_report import LATENCY_METRIC, QUERIES, Json, build_report, scrape_buckets
from ares.commands.demo_view import READY_MADE, Snapshot, one_line, render, take_snapshot
from ares.commands.output import console
from ares.config import AresConfig, load_config
from ares.errors import StoreError, UsageError
from ares.service.installation import Installation, stop_on_signals
from ares.service.processes import ServiceProcess, descendants_alive
from ares.service.supervisor import Supervisor
from ares.store import Database
from ares.telemetry import configure_logging

T = TypeVar("T")

app = typer.Typer(add_completion=False)

SERVICES = ["exchange", "mirror", "ingest", "analytics", "trader"]
REFRESH_S = 1.0
LINE_EVERY_S = 5.0


def seconds(text: str) -> float:
    """A duration in seconds, at least one. Raises `UsageError`."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise UsageError(f"duration = {text!r}: not a number of seconds. Say, for example, make demo DURATION=90")
    return value


@app.command()
def demo(
    duration: Annotated[
        float | None,
        typer.Option(
            parser=seconds, metavar="SECONDS", help="Seconds of streaming after which to end; unset: until Ctrl-C."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report here at the end.")] = None,
) -> None:
    """Run everything against the simulated exchange and show it live. Example: ares demo --duration 90"""
    config = load_config()
    require_writable(report)
    configure_logging("demo", "error", json=False)
    outcome = asyncio.run(Demo(config, duration).run())
    outcome["processes_left"] = len(descendants_alive())
    if report is not None:
        report.write_text(json.dumps(outcome, indent=2, default=str) + "\n", encoding="utf-8")
        console.print(f"report written to {report}")


def require_writable(report: Path | None) -> None:
    """Find out before the run, not after it. Raises `UsageError`."""
    if report is None:
        return
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.touch()
    except OSError as error:
        raise UsageError(f"report = {str(report)!r}: {error.strerror}. Choose a path that can be written") from None


class Demo:
    """One run of the demo."""

    def __init__(self, config: AresConfig, duration_s: float | None) -> None:
        self._config = config
        self._duration_s = duration_s
        self._clock = SystemClock()
        self._notes: list[str] = []
        self._live: Live | None = None
        self._supervisor: Supervisor | None = None
        self._installation = Installation(config, SERVICES, self._note)

    async def run(self) -> Json:
        """Start, show, report, stop; the report lacks only what the end of all processes tells."""
        stopping = stop_on_signals()
        self._started_s = self._clock.monotonic_s()
        since = to_datetime(self._clock.now_ns())
        outcome: Json = {}
        async with self._installation.running() as supervisor:
            stopping.listen()
            async with await Database.connect(self._config.database, readonly=True) as database:
                outcome = await self._watch(database, supervisor, since, stopping)
            console.print("stopping all services in order")
        return outcome

    async def _watch(
        self, database: Database, supervisor: Supervisor, since: datetime, stopping: asyncio.Event
    ) -> Json:
        self._supervisor = supervisor
        streaming_s = await self._until_streaming(database, since, stopping)
        self._note(f"streaming after {streaming_s:.1f} s")
        self._print_addresses()
        await self._show(database, stopping)
        lateness_s = self._config.analytics.lateness_s_max
        report = await build_report(database, since, lateness_s, self._ingest_latency())
        return {**report, "streaming_after_s": round(streaming_s, 1), "restarts": supervisor.restarts}

    async def _until_streaming(self, database: Database, since: datetime, stopping: asyncio.Event) -> float:
        while not stopping.is_set():
            self._require_all()
            row = await _quietly(database.fetch_one(QUERIES["streaming_since"], {"since": since}))
            if row is not None and row["received_at"] is not None:
                break
            await _pause(stopping, REFRESH_S / 4)
        return self._elapsed_s()

    async def _show(self, database: Database, stopping: asyncio.Event) -> None:
        """Refresh until the duration is over or somebody presses Ctrl-C."""
        begin_s = self._clock.monotonic_s()
        if console.is_terminal:
            with Live(console=console, refresh_per_second=4, screen=False) as live:
                self._live = live
                await self._loop(database, stopping, begin_s, self._refresh)
                self._live = None
        else:
            await self._loop(database, stopping, begin_s, self._line)

    async def _loop(
        self, database: Database, stopping: asyncio.Event, begin_s: float, draw: Callable[[Snapshot, float], None]
    ) -> None:
        pause_s = REFRESH_S if self._live is not None else LINE_EVERY_S
        while not stopping.is_set():
            self._require_all()
            elapsed_s = self._clock.monotonic_s() - begin_s
            if self._duration_s is not None and elapsed_s >= self._duration_s:
                return
            snapshot = await _quietly(take_snapshot(database))
            if snapshot is not None:
                draw(snapshot, elapsed_s)
            left_s = pause_s if self._duration_s is None else min(pause_s, self._duration_s - elapsed_s)
            await _pause(stopping, max(left_s, 0.05))

    def _require_all(self) -> None:
        if self._supervisor is not None:
            self._supervisor.require_all()

    def _refresh(self, snapshot: Snapshot, seconds: float) -> None:
        assert self._live is not None
        self._live.update(render(snapshot, seconds, self._addresses(), self._notes))

    def _line(self, snapshot: Snapshot, seconds: float) -> None:
        console.print(one_line(snapshot, seconds), soft_wrap=True)

    def _note(self, line: str) -> None:
        """A line about processes: printed, or shown below the live view."""
        self._notes.append(line)
        if self._live is None:
            console.print(line, soft_wrap=True)

    def _elapsed_s(self) -> float:
        return self._clock.monotonic_s() - self._started_s

    def _addresses(self) -> list[str]:
        config = self._config
        return [
            f"QuestDB console  {console_address(config)}  (user {config.database.user})",
            f"psql             {psql_command(config)}",
            f"exchange         http://{config.simulator.host}:{config.simulator.port}/api/v3/exchangeInfo",
        ]

    def _print_addresses(self) -> None:
        for line in (*self._addresses(), "queries to try:", *(f"  {query}" for query in READY_MADE)):
            console.print(line, soft_wrap=True)

    def _ingest_latency(self) -> dict[float, float]:
        for process in self._installation.processes:
            if process.name == "ingest" and isinstance(process, ServiceProcess) and process.port():
                return scrape_buckets(f"http://127.0.0.1:{process.port()}/metrics", LATENCY_METRIC)
        return {}


async def _pause(stopping: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return


async def _quietly(reading: Awaitable[T]) -> T | None:
    """A reading that may fail while QuestDB is being brought back; the next one will tell."""
    try:
        return await reading
    except StoreError:
        return None
