"""`ares backup drill`: restores the newest backup beside the real thing, compares, measures, and throws it away."""

from __future__ import annotations

import asyncio
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ares.clock import NANOS_PER_SECOND, isoformat
from ares.control import ControlStore, Json
from ares.errors import AresError, BackupIncomplete, DrillFailed
from ares.model.row import Cell, Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database
from ares.telemetry import get_logger
from backup.drill.compare import Comparison, Sides, compare
from backup.journal.source import is_kept
from backup.lock import only_one
from backup.manifest import read_manifest
from backup.memory import Memory
from backup.repository import Repositories
from backup.restore.choice import Choice
from backup.restore.run import Restore, Wish
from backup.restore.scratch import STATEMENT_S_MAX, Scratch
from backup.restore.smoke import answers

DRILL = "drill"
NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
DIFFERENCES_TOLD_MAX = 3

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drilled:
    """A drill: what a disaster at its start had cost (seconds of data), how long the way back took, what was proved."""

    drill_id: str
    rpo_market_s: float
    rpo_journal_s: float | None
    """None where no journal is made: backup.follow_postgres is false."""
    rto_s: float = 0.0
    compare_s: float = 0.0
    bytes_restored: int = 0
    proved_to_ns: int = 0
    comparison: Comparison = field(default_factory=Comparison)


class Drill:
    """Drills of one installation."""

    def __init__(self, context: ServiceContext, control: ControlStore, report: Callable[[str], None]) -> None:
        self._context = context
        self._control = control
        self._report = report
        self._repositories = Repositories(context.config.backup, context.state_dir)
        self._folder = context.state_dir / "backup" / DRILL

    async def run(self) -> Drilled:
        """Restore, compare, record. Raises `DrillFailed` for a backup that is not what was there, or what kept us from
        finding out; all of it is recorded. Raises `RepositoryLocked` while another drill runs.
        """
        async with only_one(self._folder.with_suffix(".lock"), self._context.clock, 0.0):
            return await self._recorded()

    async def _recorded(self) -> Drilled:
        drill_id = uuid.uuid4().hex
        memory = Memory(self._context.state_dir)
        columns: dict[str, Cell] = {"drill_id": drill_id}
        try:
            drilled = await self._drilled(drill_id, columns)
        except Exception as error:  # whatever kept us from a proof: there is none
            said = str(error) or type(error).__name__
            await self._record("failed", {**columns, "error": said})
            memory.keep(DRILL, failed=1)
            cause = error.code if isinstance(error, AresError) else type(error).__name__
            log.error("drill_failed", cause=cause, error=said)
            if isinstance(error, OSError):
                raise BackupIncomplete(f"this machine refused: {said}") from None
            raise
        await self._record("ok", columns)
        now_s = self._context.clock.now_ns() / NANOS_PER_SECOND
        covers_to_s = drilled.proved_to_ns / NANOS_PER_SECOND
        memory.keep(DRILL, failed=0, success=now_s, covers_to=covers_to_s, duration_s=drilled.rto_s)
        log.info("drill_passed", drill_id=drill_id, rto_s=round(drilled.rto_s, 1))
        return drilled

    async def _drilled(self, drill_id: str, columns: dict[str, Cell]) -> Drilled:
        clock = self._context.clock
        shutil.rmtree(self._folder, ignore_errors=True)
        wish = Wish(self._folder / "state", clock.now_ns(), DRILL, without_journal=not is_kept(self._context))
        restore = Restore(self._context, self._repositories, self._report)
        choice = await asyncio.to_thread(restore.choice, wish)
        drilled = self._begun(drill_id, choice, wish.at_ns)
        columns.update(_chosen(choice), rpo_market_s=drilled.rpo_market_s, rpo_journal_s=drilled.rpo_journal_s)
        looked: list[tuple[float, Comparison]] = []

        async def look(database: Scratch, state_dir: Path) -> None:
            began_s = clock.monotonic_s()
            comparison = await self._compared(database, state_dir)
            looked.append((clock.monotonic_s() - began_s, comparison))
            columns.update(_found(comparison))
            _require_equal(comparison)

        began_s = clock.monotonic_s()
        try:
            restored = await restore.run(wish, look)
            ended_s = clock.monotonic_s()
            bytes_restored = await asyncio.to_thread(_bytes_in, wish.target)
        finally:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        ((compare_s, comparison),) = looked
        rto_s = ended_s - began_s - compare_s
        drilled = replace(drilled, rto_s=rto_s, compare_s=compare_s, comparison=comparison)
        drilled = replace(drilled, bytes_restored=bytes_restored)
        columns.update(rto_s=rto_s, bytes_restored=bytes_restored)
        await self._require_views(restored.silent)
        columns["proved_to"] = UtcNs(drilled.proved_to_ns)
        return drilled

    def _begun(self, drill_id: str, choice: Choice, now_ns: int) -> Drilled:
        """What would be lost if everything but the repository were gone now."""
        if choice.market_to_ns is None:
            raise DrillFailed(
                "no market backup knows what it holds: a table was behind its log, or is suspended, whenever one was "
                "made. See ares db status, then ares backup run"
            )
        market_s = (now_ns - choice.market_to_ns) / NANOS_PER_SECOND
        journal_s = None if choice.journal_to_ns is None else (now_ns - choice.journal_to_ns) / NANOS_PER_SECOND
        return Drilled(drill_id, market_s, journal_s, proved_to_ns=choice.market_to_ns)

    async def _require_views(self, silent: Sequence[str]) -> None:
        """Raises `DrillFailed` for a view that does not answer in what was restored, and does in the source."""
        async with await Database.connect(self._context.config.database, readonly=True) as source:
            lost = [name for name in silent if await answers(source, name)]
        if lost:
            raise DrillFailed(f"{len(lost)} views answer in the source and not in what was restored: {lost[0]}")

    async def _compared(self, database: Scratch, state_dir: Path) -> Comparison:
        manifest = await asyncio.to_thread(read_manifest, state_dir)
        config = self._context.config
        patient = config.database.model_copy(update={"statement_s_max": STATEMENT_S_MAX, "pool_size_max": 1})
        turn = self._context.clock.now_ns() // NANOS_PER_DAY
        async with await Database.connect(patient, readonly=True) as source:
            comparison = await compare(Sides(database.database, source, turn, config.backup.drill_parts), manifest)
        self._report(f"{comparison.partitions} partitions of {comparison.tables} tables compared")
        return comparison

    async def _record(self, status: str, columns: Mapping[str, Cell]) -> None:
        row = Row("restore_drills", self._context.clock.now_ns(), {"status": status}, {"error": "", **columns})
        await asyncio.to_thread(self._control.mirror, [row])


def outcome(drilled: Drilled) -> dict[str, Json]:
    """A drill as the outcome of a job."""
    comparison = drilled.comparison
    return {
        "drill_id": drilled.drill_id,
        "proved_to": isoformat(drilled.proved_to_ns),
        "rpo_market_s": round(drilled.rpo_market_s, 1),
        "rpo_journal_s": None if drilled.rpo_journal_s is None else round(drilled.rpo_journal_s, 1),
        "rto_s": round(drilled.rto_s, 1),
        "compare_s": round(drilled.compare_s, 1),
        "bytes_restored": drilled.bytes_restored,
        "tables": comparison.tables,
        "partitions": comparison.partitions,
        "hashed": comparison.hashed,
        "rows": comparison.rows,
        "gone_since": comparison.gone,
    }


def _chosen(choice: Choice) -> dict[str, Cell]:
    return {"backup_id": choice.market.backup_id, "snapshot_id": choice.market.snapshot_id}


def _found(comparison: Comparison) -> dict[str, Cell]:
    return {
        "tables": comparison.tables,
        "partitions": comparison.partitions,
        "rows": comparison.rows,
        "differences": len(comparison.differences),
    }


def _require_equal(comparison: Comparison) -> None:
    if not comparison.partitions:
        raise DrillFailed("no partition was compared: the backup is of an empty database, or all of it is gone since")
    if comparison.differences:
        first = "; ".join(map(str, comparison.differences[:DIFFERENCES_TOLD_MAX]))
        raise DrillFailed(f"{len(comparison.differences)} partitions differ from the source: {first}")


def _bytes_in(folder: Path) -> int:
    """What lies on the disk: QuestDB's files have holes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
