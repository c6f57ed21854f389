"""Makes backups, checks them and lets old ones go; everything it does is a row and a metric."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ares.clock import NANOS_PER_SECOND
from ares.control import ControlStore, Json
from ares.errors import AresError, BackupIncomplete, RepositoryBroken, UnknownName
from ares.model.row import Cell, Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database
from ares.telemetry import get_logger
from backup.checkpoint import in_progress, left_over_released, release
from backup.lock import LOCK, only_one
from backup.memory import Memory
from backup.prepared import Prepared, Source
from backup.repository import Repositories, Repository
from backup.sources import SOURCES
from backup.told import Forgotten, Progress, SnapshotInfo
from backup.unproved import Unproved

CHECK, PRUNE = "check", "prune"
"""The kinds of work that prove the repositories sound, and let old backups go."""

ENDS_S_MAX = 10.0
"""So long restic may take to clean up when it is asked to end."""

T = TypeVar("T")
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that is whole. Sizes in bytes, durations in seconds; `covers_to_ns` as in `Prepared`."""

    kind: str
    backup_id: str
    snapshot: SnapshotInfo
    covers_to_ns: int | None
    duration_s: float
    checkpoint_s: float | None


class Backups:
    """The backups of one installation. One at a time: a second one waits, and then says who is in its way."""

    def __init__(
        self, context: ServiceContext, control: ControlStore, progress: Progress = lambda _done, _total: None
    ) -> None:
        self._context = context
        self._control = control
        self._progress = progress
        self._memory = Memory(context.state_dir)
        self.repositories = Repositories(context.config.backup, context.state_dir)

    async def run(self, kind: str) -> Made:
        """Make a backup of one kind; a failure is recorded and raised again. Raises `AresError`."""
        if kind not in SOURCES:
            raise UnknownName("kind of backup", kind, list(SOURCES))
        source, clock = SOURCES[kind](self._context), self._context.clock
        backup_id, began_s = uuid.uuid4().hex, clock.monotonic_s()
        try:
            made = await self._copied(source, backup_id, began_s)
        except (AresError, OSError) as error:
            failed = error if isinstance(error, AresError) else BackupIncomplete(f"this machine refused: {error}")
            columns: dict[str, Cell] = {"repository": self.repositories.of(kind).location, "error": str(failed)}
            self._memory.keep(kind, failed=1)  # first: a control store that is away takes no row
            log.error("backup_failed", kind=kind, backup_id=backup_id, cause=failed.code, error=str(failed))
            await self._record(kind, backup_id, failed.code, columns, clock.monotonic_s() - began_s)
            raise failed from None
        columns = {"repository": self.repositories.of(kind).location, **_columns(made)}
        await self._record(kind, backup_id, "ok", columns, made.duration_s)
        self._remember(made)
        log.info("backup_made", kind=kind, backup_id=backup_id, snapshot_id=made.snapshot.snapshot_id)
        return made

    async def _copied(self, source: Source, backup_id: str, began_s: float) -> Made:
        context, clock = self._context, self._context.clock
        folder, repository = context.state_dir / "backup", self.repositories.of(source.name)
        unproved = Unproved(folder, source.name)
        async with only_one(folder / source.lock, clock, context.config.backup.lock_wait_s) as descriptor:
            # First: a repository that is away costs no checkpoint.
            await self._blocking(repository, repository.ensure)
            await self._blocking(repository, partial(unproved.let_go, repository))
            unproved.begin(backup_id)
            async with source.prepared(descriptor) as prepared:
                snapshot = await self._snapshot(source.name, backup_id, prepared)
            unproved.end()
            duration_s = clock.monotonic_s() - began_s
        return Made(source.name, backup_id, snapshot, prepared.covers_to_ns, duration_s, prepared.checkpoint_s)

    async def _snapshot(self, kind: str, backup_id: str, prepared: Prepared) -> SnapshotInfo:
        """Copy; what turns out not to be whole is let go at once, so that nobody restores it."""
        repository = self.repositories.of(kind)
        snapshot = await self._blocking(
            repository,
            lambda: repository.backup(
                prepared.paths,
                [kind, f"id={backup_id}", *prepared.tags],
                read_all=prepared.read_all,
                progress=self._progress,
            ),
        )
        try:
            await prepared.require_whole()
        except BaseException:
            await self._blocking(repository, lambda: repository.discard(snapshot.snapshot_id))
            raise
        await prepared.kept()
        return snapshot

    async def check(self, *, read_all: bool = False, part: tuple[int, int] | None = None) -> str:
        """Prove the repository sound, and one part of its data, the next at each call; returns what was read.

        Raises `RepositoryBroken`, after it was recorded.
        """
        parts = self._context.config.backup.check_parts
        turn = part or (round(self._memory.get(CHECK, "turn")) % parts + 1, parts)
        clock = self._context.clock
        began_s, check_id = clock.monotonic_s(), uuid.uuid4().hex
        market = repository = self.repositories.market
        try:
            there = await self._blocking(market, self.repositories.all)
            for repository in there.values():
                looked = partial(repository.check, None if read_all else turn, read_all=read_all)
                await self._blocking(repository, looked)
        except AresError as error:
            columns: dict[str, Cell] = {"repository": repository.location, "error": str(error)}
            await self._record(CHECK, check_id, error.code, columns, clock.monotonic_s() - began_s)
            self._memory.keep(CHECK, failed=1, **({"sound": 0} if isinstance(error, RepositoryBroken) else {}))
            log.error("repository_check_failed", cause=error.code, error=str(error))
            raise
        duration_s = clock.monotonic_s() - began_s
        await self._record(CHECK, check_id, "ok", {"repository": market.location}, duration_s)
        next_turn = {} if read_all or part else {"turn": float(turn[0])}
        # Whoever asks for one part says nothing of another that was found broken: the turn of that comes again.
        sound = self._memory.get(CHECK, "sound", 1.0) if part and not read_all else 1.0
        ended_s = clock.now_ns() / NANOS_PER_SECOND
        self._memory.keep(CHECK, success=ended_s, duration_s=duration_s, failed=0, sound=sound, **next_turn)
        return "all" if read_all else f"{turn[0]}/{turn[1]}"

    async def prune(self, *, dry_run: bool = False) -> Sequence[Forgotten]:
        """Let backups go that backup.keep_* does not want, and free their room; `dry_run` only tells."""
        outcome = []
        try:
            for kind, repository in (await self._blocking(self.repositories.market, self.repositories.all)).items():
                forgotten = await self._blocking(repository, partial(repository.forget, kind, dry_run=dry_run))
                if forgotten.removed and not dry_run:
                    await self._blocking(repository, repository.prune)
                outcome.append(forgotten)
        except AresError:
            self._memory.keep(PRUNE, failed=1)
            raise
        if not dry_run:
            self._memory.keep(PRUNE, failed=0, success=self._context.clock.now_ns() / NANOS_PER_SECOND)
        return outcome

    async def _blocking(self, repository: Repository, work: Callable[[], T]) -> T:
        """Run restic beside the loop. It ends with our wish to end, and before us: until then a checkpoint holds."""
        running = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            repository.abort()
            await asyncio.wait([running], timeout=ENDS_S_MAX)
            if not running.done():
                repository.abort(at_once=True)
                await asyncio.wait([running])
            running.exception()  # whatever it was, it was asked for
            raise

    async def _record(
        self, kind: str, backup_id: str, status: str, columns: Mapping[str, Cell], duration_s: float
    ) -> None:
        given: dict[str, Cell] = {"backup_id": backup_id, "error": ""}
        row = Row(
            "backups",
            self._context.clock.now_ns(),
            {"kind": kind, "status": status},
            {**given, "duration_s": duration_s, **columns},
        )
        await asyncio.to_thread(self._control.mirror, [row])

    def _remember(self, made: Made) -> None:
        figures = {
            "success": self._context.clock.now_ns() / NANOS_PER_SECOND,
            "duration_s": made.duration_s,
            "bytes_total": float(made.snapshot.bytes_total),
            "bytes_added": float(made.snapshot.bytes_added),
            "failed": 0.0,
        }
        if made.covers_to_ns is not None:
            figures["covers_to"] = made.covers_to_ns / NANOS_PER_SECOND
        self._memory.keep(made.kind, **figures)


async def release_left_over(context: ServiceContext, *, foreign: bool = False) -> bool:
    """Release the checkpoint of a backup that is dead; `foreign`: also one that another tool took. True if there was.

    Raises `RepositoryLocked` while a backup runs, `BackupIncomplete` for another tool's checkpoint.
    """
    folder = context.state_dir / "backup"
    lock = only_one(folder / LOCK, context.clock, context.config.backup.lock_wait_s)
    async with lock, await Database.connect(context.config.database) as database:
        if foreign and await in_progress(database) is not None:
            await release(database, folder)
            return True
        return await left_over_released(database, folder)


def outcome(made: Made) -> Mapping[str, Json]:
    """A backup as the outcome of a job."""
    return {
        "kind": made.kind,
        "snapshot_id": made.snapshot.snapshot_id,
        "files": made.snapshot.files,
        "bytes_total": made.snapshot.bytes_total,
        "bytes_added": made.snapshot.bytes_added,
        "duration_s": round(made.duration_s, 3),
    }


def _columns(made: Made) -> dict[str, Cell]:
    return {
        "snapshot_id": made.snapshot.snapshot_id,
        "covers_to": None if made.covers_to_ns is None else UtcNs(made.covers_to_ns),
        "checkpoint_s": made.checkpoint_s,
        "files": made.snapshot.files,
        "bytes_total": made.snapshot.bytes_total,
        "bytes_added": made.snapshot.bytes_added,
    }
