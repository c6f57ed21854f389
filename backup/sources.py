"""What is copied, kind by kind: each source says what to copy, and afterwards whether the copy can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

from ares.clock import Clock
from ares.config import AresConfig, ConfigSource
from ares.control import ControlStore
from ares.errors import ConfigError
from ares.service import ServiceContext
from ares.store import Database
from ares.telemetry import get_logger
from backup.checkpoint import applied, checkpoint
from backup.freshness import renew_young, times_tell
from backup.journal.coverage import Coverage, covered
from backup.journal.source import JournalSource, is_kept
from backup.lock import LOCK
from backup.manifest import manifest_file, write_manifest
from backup.prepared import Prepared, Source

QUESTDB_PARTS = ("db", "conf", ".checkpoint")
"""Of its root: its tables, its settings, and what a restore needs to bring every table to the checkpoint."""

T = TypeVar("T")
log = get_logger(__name__)


class MarketSource:
    """QuestDB as of a checkpoint, with what belongs to it: settings, models, the audit's witness, folders of yours.

    A lake that lies on this machine too: its tables' logs, which stand first there, are read before files they name.
    """

    name = "market"
    lock = LOCK

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._folder = context.state_dir / "backup"
        self._doubt = self._folder / "times-in-doubt"
        """There as long as young files may be unchanged by their times alone."""

    @asynccontextmanager
    async def prepared(self, lock: int) -> AsyncIterator[Prepared]:
        config, clock = self._context.config, self._context.clock
        root = questdb_root(config)
        read_all = self._doubt.exists() or not await asyncio.to_thread(times_tell, root)
        covers_to_ns, coverage = await self._applied()
        began_ns, began_s = clock.now_ns(), clock.monotonic_s()
        async with checkpoint(config.database, self._folder, lock, config.backup.copy_s_max) as held:
            paths = [root / part for part in QUESTDB_PARTS if (root / part).exists()]
            everything = [*paths, *self._beside(), manifest_file(self._context.state_dir)]
            prepared = Prepared(everything, covers_to_ns, held.require_held, read_all, tags=coverage.tags)
            prepared.kept = partial(self._kept, coverage)
            yield prepared
        prepared.checkpoint_s = clock.monotonic_s() - began_s
        await asyncio.to_thread(self._renew, paths, began_ns, clock)

    async def _applied(self) -> tuple[int | None, Coverage]:
        """Before the checkpoint: until when all is in it, and what of control store and partitions is."""
        context = self._context
        async with await Database.connect(context.config.database) as database:
            now_ns = context.clock.now_ns()
            coverage = await asyncio.to_thread(self._with_control, lambda control: Coverage.now(control, now_ns))
            covers_to_ns = now_ns if await applied(database) else None
            await write_manifest(database, context.state_dir)
        unknown = Coverage(line=coverage.line, since_ns=coverage.since_ns)
        return covers_to_ns, coverage if covers_to_ns is not None else unknown

    async def _kept(self, coverage: Coverage) -> None:
        if coverage.known:
            await asyncio.to_thread(self._with_control, lambda control: covered(control, coverage))

    def _with_control(self, work: Callable[[ControlStore], T]) -> T:
        control = ControlStore.open(self._context.control_url)
        try:
            return work(control)
        finally:
            control.close()

    def _beside(self) -> list[Path]:
        config, state_dir = self._context.config, self._context.state_dir
        witness = config.audit.witness_dir or state_dir / "witness"
        lake = config.lake.folder(state_dir)
        ours = [*ConfigSource.of().files(config), state_dir / "models", witness, *([lake] if lake else [])]
        return [*(path.resolve() for path in ours if path.exists()), *config.backup.extra_paths]

    def _renew(self, paths: Sequence[Path], began_ns: int, clock: Clock) -> None:
        self._doubt.touch()
        try:
            renewed = renew_young(paths, began_ns, clock.now_ns())
        except OSError as error:
            way_out = "run backups as QuestDB's own user; until then all is read each time"
            log.warning("young_files_keep_their_times", error=str(error), way_out=way_out)
        else:
            self._doubt.unlink()
            log.debug("young_files_will_be_read_again", files=renewed)


def questdb_root(config: AresConfig) -> Path:
    """The folder of the QuestDB that is copied. Raises `ConfigError` for a remote one whose disk is not here."""
    if config.backup.questdb_dir is not None:
        root = config.backup.questdb_dir.resolve()
    elif config.database.mode == "embedded":
        root = config.environment.state_dir.resolve() / "questdb"
    else:
        raise ConfigError(
            "backup.questdb_dir",
            None,
            "database.mode is 'remote', and its files are copied from its disk",
            "Run backups where that disk is mounted, and name QuestDB's root folder there",
        )
    if not (root / "db").is_dir():
        raise ConfigError("backup.questdb_dir", str(root), "not the root of a QuestDB: it has no folder db", "Name it")
    return root


SOURCES: Mapping[str, Callable[[ServiceContext], Source]] = {"market": MarketSource, "journal": JournalSource}
"""By kind, in the order in which `all` takes them."""


def kinds(context: ServiceContext) -> list[str]:
    """Those that this installation makes."""
    return [kind for kind in SOURCES if kind != JournalSource.name or is_kept(context)]
