"""A copy of a QuestDB's files, and servers of any version on it, which end with us. The original is only read."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from ares.clock import Clock
from ares.config.settings import DatabaseConfig
from ares.errors import BackupIncomplete, StateDirUnusable, UsageError
from ares.service import ServiceContext
from ares.service.runner import end_with_parent
from ares.store import load_queries
from ares.store.server import EmbeddedQuestDB, RunningServer
from backup.checkpoint import checkpoint
from backup.lock import LOCK, only_one
from backup.repository import MARKET, Repositories
from backup.restore.choice import choose
from backup.restore.run import Report, Restore
from backup.restore.scratch import STATEMENT_S_MAX, TRIGGER, on_free_ports
from backup.restore.staging import CHECKPOINT

QUERIES = load_queries("backup", "rehearsal/rehearsal.sql")
SPARE_SHARE = 1.2


class ScratchQuestDB(EmbeddedQuestDB):
    """A server on a copy: it ends with the process that started it, and lets a query take its time.

    Before 9.3.4 a question over HTTP could not ask for more of it than the server's own limit.
    """

    def spawn(self, before_exec: Callable[[], None] | None = None) -> RunningServer:
        return super().spawn(before_exec or end_with_parent)

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "QDB_QUERY_TIMEOUT": f"{STATEMENT_S_MAX:.0f}s"}


def scratch_config(config: DatabaseConfig, version: str) -> DatabaseConfig:
    """Settings of a server of a version on free ports of this machine."""
    return on_free_ports(config).model_copy(update={"questdb_version": version})


@contextmanager
def running(config: DatabaseConfig, folder: Path, clock: Clock) -> Iterator[float]:
    """A server on the copy in `folder`/questdb; gives how long it took to be ready, seconds. Raises `ServerFailed`."""
    server = ScratchQuestDB(config, folder)
    began_s = clock.monotonic_s()
    try:
        server.start()
        yield clock.monotonic_s() - began_s
    finally:
        server.stop()


def copy_stopped(root: Path, folder: Path, wanted: Callable[[], bool] = lambda: True) -> int:
    """Copy the files of a QuestDB that does not run; returns their size in bytes. Raises `UsageError`.

    Raises `BackupIncomplete` once it is not `wanted` any more.
    """
    if not (root / "db").is_dir():
        raise UsageError(f"root = {str(root)!r}: no QuestDB there. Give the folder that holds its folder db")
    return _copy(root, folder, wanted)


async def copy_running(context: ServiceContext, root: Path, folder: Path) -> int:
    """Copy the files of a QuestDB that runs, as they are at a checkpoint, which ends with us whatever happens.

    Raises `RepositoryLocked` while a backup runs, `BackupIncomplete` if the checkpoint did not hold.
    """
    config, notes = context.config, context.state_dir / "backup"
    left = Event()
    async with (
        only_one(notes / LOCK, context.clock, config.backup.lock_wait_s) as lock,
        checkpoint(config.database, notes, lock, config.backup.copy_s_max) as held,
    ):
        try:
            copied = await asyncio.to_thread(copy_stopped, root, folder, lambda: not left.is_set())
        finally:
            left.set()
        await held.require_held()
    return copied


async def bring_backup(context: ServiceContext, snapshot: str | None, folder: Path, report: Report) -> int:
    """Bring QuestDB's files back from a market backup (the newest, or the one named); returns their size in bytes.

    Raises `UsageError`, `UnknownName`, `BackupError`.
    """
    repositories = Repositories(context.config.backup, context.state_dir)
    snapshots = await asyncio.to_thread(repositories.snapshots, MARKET)
    market = choose(snapshots, context.clock.now_ns(), snapshot).market
    await Restore(context, repositories, report).bring_market(market, folder)
    (folder / "questdb" / TRIGGER).touch()
    return _size(folder / "questdb")


def _copy(root: Path, folder: Path, wanted: Callable[[], bool]) -> int:
    size = _size(root)
    free = shutil.disk_usage(folder).free
    if free < size * SPARE_SHARE:
        raise StateDirUnusable(str(folder), f"{free >> 20} MiB free, and the copy takes {size >> 20} MiB and some more")
    target = folder / "questdb"

    def copy(source: str, place: str) -> None:
        if not wanted():
            raise BackupIncomplete("it was asked to end")
        shutil.copy2(source, place)

    try:
        shutil.copytree(root, target, symlinks=True, copy_function=copy)
    except shutil.Error as error:
        lost = [why for source, _, why in error.args[0] if Path(source).exists()]
        if lost:
            raise StateDirUnusable(str(folder), str(lost[0])) from None
    if (target / CHECKPOINT / "db").is_dir():
        (target / TRIGGER).touch()
    return size


def _size(root: Path) -> int:
    return sum(entry.stat().st_size for entry in _files(root))


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            if path.is_file() and not path.is_symlink():
                yield path
