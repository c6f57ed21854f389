"""One process per service: started in dependency order, brought back when it dies, stopped in reverse order."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from ares.clock import Clock
from ares.config.settings import EnvironmentConfig
from ares.errors import OperatingError, ServerFailed
from ares.resilience import Backoff
from ares.service.processes import ManagedProcess, wait_gone
from ares.telemetry import get_logger

USAGE_EXIT_CODE = 2
WATCH_S = 0.2
READY_S_MAX = 120.0
HOUR_S = 3600.0
KILL_S_MAX = 5.0

log = get_logger(__name__)

Report = Callable[[str], None]
Hook = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Watched:
    """A process with its history of restarts."""

    process: ManagedProcess
    backoff: Backoff
    restarts_s: deque[float] = field(default_factory=deque)
    restarts: int = 0
    given_up: bool = False


@dataclass(frozen=True, slots=True)
class Stages:
    """How far a process has come."""

    released: asyncio.Event = field(default_factory=asyncio.Event)
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Looks after processes until told to stop.

    A process that ends with exit code 2 (its request was wrong: a setting, a name) is not started again, nor is one
    that died `restarts_per_hour_max` times within an hour: both are given up, which is reported and logged.
    """

    def __init__(
        self, processes: Sequence[ManagedProcess], config: EnvironmentConfig, clock: Clock, report: Report
    ) -> None:
        by_name = {process.name: process for process in processes}
        graph = {p.name: [need for need in p.depends_on if need in by_name] for p in processes}
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._watched = {
            name: Watched(by_name[name], Backoff(config.restart_backoff_s_min, config.restart_backoff_s_max, self._rng))
            for name in TopologicalSorter(graph).static_order()
        }
        self._config = config
        self._clock = clock
        self._tell = report

    def reconfigure(self, config: EnvironmentConfig) -> None:
        """Restart by these settings from now on."""
        self._config = config
        for watched in self._watched.values():
            watched.backoff = Backoff(config.restart_backoff_s_min, config.restart_backoff_s_max, self._rng)

    def hang_up(self) -> None:
        """Tell every process to read its settings again."""
        for watched in self._watched.values():
            watched.process.end(signal.SIGHUP)

    def _report(self, line: str) -> None:
        """Tell whoever watches; a closed terminal or pipe must never keep us from stopping what we started."""
        with suppress(OSError):
            self._tell(line)

    @property
    def processes(self) -> list[ManagedProcess]:
        """All processes in the order of their start."""
        return [watched.process for watched in self._watched.values()]

    @property
    def restarts(self) -> dict[str, int]:
        """How often each process was brought back."""
        return {name: watched.restarts for name, watched in self._watched.items()}

    @property
    def given_up(self) -> list[str]:
        """Processes that will not be started again."""
        return [name for name, watched in self._watched.items() if watched.given_up]

    def require_all(self) -> None:
        """Raises `ServerFailed` with its last words if a process was given up."""
        for watched in self._watched.values():
            if watched.given_up:
                raise ServerFailed(f"{watched.process.name} was given up: {watched.process.last_words()}")

    async def start(self, after_ready: dict[str, Hook] | None = None) -> None:
        """Start everything; each waits until what it needs is ready. Raises `ServerFailed` naming the first to fail.

        `after_ready` maps a process to work that must be done between its readiness and the start of its dependents.
        """
        hooks = after_ready or {}
        stages = {name: Stages() for name in self._watched}
        async with asyncio.TaskGroup() as group:
            for name, watched in self._watched.items():
                group.create_task(self._start_one(watched, stages, hooks.get(name)))

    async def _start_one(self, watched: Watched, stages: dict[str, Stages], hook: Hook | None) -> None:
        """Spawned as soon as its needs work, released once they are ready: loading overlaps with their start."""
        process = watched.process
        needs = [stages[need] for need in process.depends_on if need in stages]
        for need in needs:
            await need.released.wait()
        process.spawn()
        self._report(f"{process.name}: starting (pid {process.pid()})")
        for need in needs:
            await need.ready.wait()
        process.release()
        stages[process.name].released.set()
        if self._needed_by_others(process.name):
            await self._wait_ready(process)
            self._report(f"{process.name}: ready")
        if hook is not None:
            await hook()
        stages[process.name].ready.set()

    def _needed_by_others(self, name: str) -> bool:
        return any(name in watched.process.depends_on for watched in self._watched.values())

    async def _wait_ready(self, process: ManagedProcess) -> None:
        deadline_s = self._clock.monotonic_s() + READY_S_MAX
        while not await asyncio.to_thread(process.ready):
            self._require_no_refusal()
            code = process.exit_code()
            if code is not None:
                raise ServerFailed(f"{process.name} ended with exit code {code} while starting: {process.last_words()}")
            if self._clock.monotonic_s() > deadline_s:
                raise ServerFailed(f"{process.name} not ready after {READY_S_MAX} s: {process.last_words()}")
            await self._clock.sleep(WATCH_S)

    def _require_no_refusal(self) -> None:
        """One whose request was wrong will not come up by waiting, whoever it is."""
        for watched in self._watched.values():
            if watched.process.exit_code() == USAGE_EXIT_CODE:
                raise ServerFailed(f"{watched.process.name} cannot start: {watched.process.last_words()}")

    async def run(self) -> None:
        """Watch until cancelled; dead processes are brought back."""
        async with asyncio.TaskGroup() as group:
            for watched in self._watched.values():
                group.create_task(self._watch(watched))

    async def _watch(self, watched: Watched) -> None:
        process = watched.process
        alive_since_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(WATCH_S)
            code = process.exit_code()
            if code is None:
                if self._clock.monotonic_s() - alive_since_s > self._config.restart_backoff_s_max:
                    watched.backoff.reset()
                continue
            if self._gives_up(watched, code):
                return
            wait_s = watched.backoff.next_wait_s()
            log.warning("service_restarting", name=process.name, exit_code=code, wait_s=wait_s)
            await self._clock.sleep(wait_s)
            try:
                process.spawn()
            except (OperatingError, OSError) as error:
                # A port that somebody took meanwhile, a full disk: it passes or it counts as one more death.
                log.error("service_not_restarted", name=process.name, reason=str(error))
                self._report(f"{process.name}: ended with exit code {code}, not started again yet: {error}")
                continue
            process.release()
            watched.restarts += 1
            alive_since_s = self._clock.monotonic_s()
            self._report(f"{process.name}: ended with exit code {code}, started again (pid {process.pid()})")

    def _gives_up(self, watched: Watched, code: int) -> bool:
        now_s = self._clock.monotonic_s()
        recent = watched.restarts_s
        recent.append(now_s)
        while recent[0] < now_s - HOUR_S:
            recent.popleft()
        if code != USAGE_EXIT_CODE and len(recent) <= self._config.restarts_per_hour_max:
            return False
        watched.given_up = True
        log.error("service_given_up", name=watched.process.name, exit_code=code, restarts=watched.restarts)
        self._report(f"{watched.process.name}: given up after exit code {code}: {watched.process.last_words()}")
        return True

    async def stop(self) -> None:
        """End everything, dependents first; what does not drain within `environment.stop_s_max` is killed."""
        pending = {name: asyncio.Event() for name in self._watched}
        async with asyncio.TaskGroup() as group:
            for watched in self._watched.values():
                group.create_task(self._stop_one(watched.process, pending))

    async def _stop_one(self, process: ManagedProcess, gone: dict[str, asyncio.Event]) -> None:
        for name, watched in self._watched.items():
            if process.name in watched.process.depends_on:
                await gone[name].wait()
        process.end(signal.SIGTERM)
        if not process.adopted and not await wait_gone(process, self._config.stop_s_max):
            log.error("service_killed", name=process.name, after_s=self._config.stop_s_max)
            process.end(signal.SIGKILL)
            await wait_gone(process, KILL_S_MAX)
        self._report(f"{process.name}: stopped")
        gone[process.name].set()
