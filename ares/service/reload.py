"""Settings that change while a service runs: read whole, checked whole, then taken up as far as they may be.

A file that says something impossible changes nothing: the service goes on with what it had, and says so.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from watchfiles import awatch

from ares.config import AresConfig, ConfigSource
from ares.config.changes import Change, differences, fingerprint, take_over
from ares.control import ControlStore
from ares.errors import AresError, ConfigError
from ares.service.config_versions import ConfigVersions
from ares.service.types import ServiceContext
from ares.store.server import make_dir
from ares.telemetry import get_logger, metrics, observability

DEBOUNCE_MS = 200
KUBERNETES_DATA = "..data"
"""The link that Kubernetes turns to a new version of a mounted ConfigMap; our files are links through it."""

ROTATION = "rotation"
"""The cause of a reload that only looks for secrets that were changed where they are kept."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a wish to reload: what was taken up, what waits for a restart, or why it was refused."""

    applied: tuple[Change, ...] = ()
    waiting: tuple[Change, ...] = ()
    error: str = ""


class ConfigReloader:
    """Keeps one process' settings in step with the files; reloads follow each other, never overlap.

    `apply` is called with the settings that hold from now on; it must not fail, for they are valid.
    """

    def __init__(self, source: ConfigSource, context: ServiceContext, apply: Callable[[AresConfig], None]) -> None:
        self._source = source
        self._context = context
        self._apply = apply
        self._lock = asyncio.Lock()
        self._wanted = context.config
        metrics.CONFIG_VALID.set(1)
        self.waiting: tuple[Change, ...] = ()

    @property
    def state(self) -> dict[str, object]:
        """For the service's card: which settings run, which are wanted, and what waits for a restart."""
        return {
            "running": fingerprint(self._context.config),
            "wanted": fingerprint(self._wanted),
            "waiting": [change.field for change in self.waiting],
        }

    async def reload(self, cause: str) -> Reloaded:
        """Read the files again, and follow references. `cause` says who asked: file, sighup, api, rotation."""
        async with self._lock:
            with observability.track("config.reload", cause=cause):
                return await self._reload(cause)

    async def _reload(self, cause: str) -> Reloaded:
        try:
            wanted = await asyncio.to_thread(self._source.load)
        except ConfigError as error:
            if cause == ROTATION:
                return self._stay(error)
            return await self._refuse(str(error), cause)
        metrics.SECRETS_STALE.set(0)
        if cause == ROTATION and not differences(self._wanted, wanted):
            return Reloaded(waiting=self.waiting)
        return await self._take_up(wanted, cause)

    @asynccontextmanager
    async def following(self, also: Callable[[], None] = lambda: None, *, hang_up: bool = True) -> AsyncIterator[None]:
        """Follow the files as long as the block lasts; with `hang_up`, SIGHUP calls `also` and reloads here."""
        loop = asyncio.get_running_loop()
        asked: set[asyncio.Task[Reloaded]] = set()

        def ask() -> None:
            also()
            task = asyncio.create_task(self.reload("sighup"), name="reload")
            asked.add(task)
            task.add_done_callback(asked.discard)

        if hang_up:
            loop.add_signal_handler(signal.SIGHUP, ask)
        following = asyncio.create_task(self.run(), name="settings")
        try:
            yield
        finally:
            if hang_up:
                loop.remove_signal_handler(signal.SIGHUP)
            for task in (following, *asked):
                task.cancel()
            await asyncio.gather(following, *asked, return_exceptions=True)

    async def run(self) -> None:
        """Record what holds now, then watch the files until cancelled."""
        await self._record(lambda versions: versions.changed(self._context.config, "start"))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_for_rotated_secrets(), name="secrets")
            tasks.create_task(self._watch_files(), name="files")

    async def _look_for_rotated_secrets(self) -> None:
        while True:
            await self._context.clock.sleep(self._context.config.secrets.refresh_s)
            if self._source.secrets.followed:
                await self.reload(ROTATION)

    async def _watch_files(self) -> None:
        try:
            await self._watch()
        except OSError as error:
            log.error("config_not_watched", error=str(error), way_out="raise fs.inotify limits, or send SIGHUP")

    async def _watch(self) -> None:
        files = self._source.files(self._context.config)
        names = {str(file) for file in files} | {str(file.parent / KUBERNETES_DATA) for file in files}
        make_dir(files[-1].parent)
        async for _ in awatch(
            *{file.parent for file in files},
            watch_filter=lambda _, path: path in names,
            debounce=DEBOUNCE_MS,
            recursive=False,
        ):
            await self.reload("file")

    async def _take_up(self, wanted: AresConfig, cause: str) -> Reloaded:
        running = self._context.config
        changes = differences(running, wanted)
        applied = tuple(change for change in changes if change.reloadable)
        waiting = tuple(change for change in changes if not change.reloadable)
        self._wanted = wanted
        metrics.CONFIG_VALID.set(1)
        metrics.CONFIG_WAITS_FOR_RESTART.set(len(waiting))
        if applied:
            self._context.config = take_over(running, wanted)
            self._apply(self._context.config)
            log.info("config_taken_up", cause=cause, changed=[change.field for change in applied])
        if waiting and waiting != self.waiting:
            log.warning("config_waits_for_restart", cause=cause, changed=[change.field for change in waiting])
        self.waiting = waiting
        metrics.CONFIG_RELOADS.labels("ok" if changes else "unchanged").inc()
        await self._record(lambda versions: versions.changed(wanted, cause))
        return Reloaded(applied, waiting)

    def _stay(self, error: ConfigError) -> Reloaded:
        """A secret store that is away, or no longer lets us in, is no reason to stop with secrets that still work."""
        metrics.SECRETS_STALE.set(1)
        log.error("secrets_not_refreshed", cause=error.code, error=str(error))
        return Reloaded(waiting=self.waiting, error=str(error))

    async def _refuse(self, error: str, cause: str) -> Reloaded:
        metrics.CONFIG_VALID.set(0)
        metrics.CONFIG_RELOADS.labels("refused").inc()
        log.error("config_refused", cause=cause, error=error)
        await self._record(lambda versions: versions.refused(error, cause))
        return Reloaded(error=error)

    async def _record(self, entry: Callable[[ConfigVersions], int | None]) -> None:
        """The history is worth having, not worth stopping for."""
        context = self._context

        def write() -> None:
            control = ControlStore.open(context.control_url)
            try:
                entry(ConfigVersions(control, context.clock, context.instance))
            finally:
                control.close()

        try:
            await asyncio.to_thread(write)
        except AresError as error:
            log.warning("config_not_recorded", cause=error.code)
