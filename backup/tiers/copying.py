"""Copies a day into the cold tier and proves the copy: the rows of QuestDB and of the commit have one fingerprint."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ares.clock import DAY_NS, Clock
from ares.config.settings import AresConfig
from ares.errors import LakeError, LakeRejected, StateDirUnusable
from ares.lake.delta import ColdTable, Lake, Written
from ares.lake.digest import TableDigest
from ares.lake.ends import agree
from ares.lake.fold import digest_part, digest_rows, merged
from ares.lake.sql import Space
from ares.store.export import ExportParam, ParquetExport
from ares.telemetry import get_logger
from backup.tiers.facts import QUERIES
from backup.tiers.model import ColdDay, DayKey
from backup.tiers.sampling import Sample

PART = ("venue", "symbol", "day")
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Copied:
    """A day as it lies in the cold tier, proved or not yet."""

    digest: TableDigest
    written: Written
    location: str


@dataclass(slots=True)
class Copier:
    """Fetches, writes, compares; one day after the other. Raises `StoreError`, `LakeError`."""

    config: AresConfig
    clock: Clock
    lake: Lake
    state_dir: Path

    def table(self, table: str) -> ColdTable:
        """Where a table's cold rows lie."""
        return self.lake.table(f"cold/{table}", PART)

    async def is_held(self, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        """Whether each row that QuestDB has of a day now is in the cold tier as it is."""
        return await asyncio.to_thread(self._is_held, table, keys, day, cold)

    async def is_kept(self, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        """Whether the cold tier as it is now gives back what was proved: since then its files were joined, or lost.

        Raises `LakeError` where the table itself cannot be reached.
        """
        return await asyncio.to_thread(self._is_kept, table, keys, day, cold)

    async def copy(
        self, table: str, keys: list[str], day: DayKey, before: ColdDay | None, *, ends: Sample
    ) -> Copied | None:
        """Make the cold tier's day what QuestDB has. A day that was proved once only grows: QuestDB may have less.

        None, and nothing done, where its export does not begin and end with the rows that a query told.
        """
        return await asyncio.to_thread(self._copy, table, keys, day, before, ends=ends)

    async def prove(self, table: str, keys: list[str], day: DayKey, copied: Copied) -> None:
        """Read the committed version back. Raises `LakeRejected` if it is not what was sent."""
        found = await asyncio.to_thread(self.cold_digest, table, keys, day, copied.written.version)
        if found != copied.digest:
            raise LakeRejected(
                f"{table} {day.label}: the cold tier gave back {found.rows} rows ({found.sha256[:12]}) of "
                f"{copied.digest.rows} ({copied.digest.sha256[:12]}) that were written"
            )

    def cold_digest(self, table: str, keys: list[str], day: DayKey, version: int | None) -> TableDigest:
        """The fingerprint of a day as it lies in a version of the cold tier."""
        with tempfile.TemporaryDirectory(prefix="proof-", dir=scratch_of(self.state_dir)) as folder:
            space = Space(self.config.lake.memory_mb_max, Path(folder))
            return digest_part(self.table(table), day.part, keys, version, space)

    def _is_held(self, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        with self._exported(table, day) as file:
            digest = digest_rows(file.path, keys)
            if digest.rows < cold.rows:
                merged(self.table(table), day.part, keys, file.path)
                digest = digest_rows(file.path, keys)
        return is_of(digest, cold)

    def _is_kept(self, table: str, keys: list[str], day: DayKey, cold: ColdDay) -> bool:
        self.table(table).version()
        try:
            return is_of(self.cold_digest(table, keys, day, None), cold)
        except LakeError as error:
            log.error("cold_day_unreadable", table=table, day=day.label, error=str(error))
            return False

    def _copy(self, table: str, keys: list[str], day: DayKey, before: ColdDay | None, *, ends: Sample) -> Copied | None:
        cold = self.table(table)
        with self._exported(table, day) as file:
            if not agree(file.path, ends.first, ends.last, keys):
                log.error("export_differs_from_query", table=table, day=day.label)
                return None
            digest = digest_rows(file.path, keys)
            if before is not None and not is_of(digest, before) and (before.was_proved or digest.rows < before.rows):
                merged(cold, day.part, keys, file.path)
                digest = digest_rows(file.path, keys)
            written = cold.replace_from(day.part, file.path)
        return Copied(digest, written, cold.uri)

    def _exported(self, table: str, day: DayKey) -> ExportedDay:
        return ExportedDay(self.config, self.state_dir, table, day)


def is_of(digest: TableDigest, cold: ColdDay) -> bool:
    """Whether rows are those that were recorded."""
    return (digest.rows, digest.sha256) == (cold.rows, cold.row_hash)


def scratch_of(state_dir: Path) -> Path:
    """Where files lie that nobody needs after a run. Raises `StateDirUnusable`."""
    folder = state_dir / "scratch"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateDirUnusable(str(folder), error.strerror or str(error)) from None
    return folder


@dataclass(slots=True)
class ExportedDay:
    """A day of QuestDB as a file, as long as the block lasts."""

    config: AresConfig
    state_dir: Path
    table: str
    day: DayKey
    path: Path = Path()
    _folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="tiers-", dir=scratch_of(self.state_dir))
        self.path = Path(self._folder.name) / "day.parquet"
        span: dict[str, ExportParam] = {"from": self.day.day_ns, "to": self.day.day_ns + DAY_NS}
        statement = QUERIES["export_day"].replace("this_table", self.table)
        ParquetExport(self.config.database).fetch(statement, {**span, **self.day.part}, self.path)
        return self

    def __exit__(self, *_: object) -> None:
        if self._folder is not None:
            self._folder.cleanup()
