"""`ares data sql`: which rows of a query lie where, and their way into DuckDB."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ares.clock import DAY_NS, floor_ns
from ares.config.settings import AresConfig
from ares.errors import LakeRejected, StoreUnavailable, UnknownName, UsageError
from ares.lake.delta import ColdTable, Lake
from ares.lake.sql import DaySource, Query, Source, Space, SpannedTable
from ares.store import Database
from ares.store.export import ParquetExport
from backup.tiers.copying import PART
from backup.tiers.facts import QUERIES, FactReader
from backup.tiers.model import ColdDay, DayKey

LOOKS_MAX = 3


@dataclass(frozen=True, slots=True)
class Span:
    """UTC ns; the end is excluded."""

    from_ns: int
    to_ns: int


def source_of(hot_rows: int, cold: ColdDay | None) -> Source:
    """Where a day is read: what QuestDB has whole is read there, for it is newer than any copy."""
    if cold is None or not cold.was_proved:
        return "hot"
    if not hot_rows:
        return "cold"
    return "hot" if cold.state != "dropped" and hot_rows >= cold.rows else "both"


def sources(hot: Mapping[DayKey, int], cold: Mapping[DayKey, ColdDay], span: Span) -> dict[DayKey, Source]:
    """Of every day of the span that has rows anywhere."""
    kept = {day for day in cold if span.from_ns < day.day_ns + DAY_NS and day.day_ns < span.to_ns}
    return {day: source_of(hot.get(day, 0), cold.get(day)) for day in sorted({*hot, *kept})}


@dataclass(slots=True)
class Gathering:
    """Brings the tables of a query together in a folder. Raises `UsageError`, `StoreError`, `LakeError`."""

    config: AresConfig
    database: Database
    lake: Lake
    folder: Path

    async def tables(self, sql: str, span: Span) -> list[SpannedTable]:
        """Every table that the statement names."""
        known = [tier.table for tier in self.config.lake.tiers]
        names = sorted(await asyncio.to_thread(self.query.tables, sql))
        for name in names:
            if name not in known:
                raise UnknownName("table with a cold tier", name, list(known))
        return [await self._table(name, span) for name in names]

    @property
    def query(self) -> Query:
        return Query(Space(self.config.lake.memory_mb_max, self.folder))

    async def _table(self, name: str, span: Span) -> SpannedTable:
        """A day that leaves QuestDB between the look and the fetch was there only, so both are done anew."""
        facts = FactReader(self.config, self.database)
        file = self.folder / f"{name}.parquet"
        for _ in range(LOOKS_MAX):
            found, recorded = await self._sources(facts, name, span)
            wanted = [day for day, source in found.items() if source != "cold"]
            await self._require_bounded(facts, name, wanted, span)
            await asyncio.to_thread(self._export, name, hot_span(wanted, span), file)
            later, _ = await self._sources(facts, name, span)
            if all(later.get(day) == "hot" for day, source in found.items() if source == "hot"):
                break
        else:
            raise StoreUnavailable(f"{name}: days keep leaving QuestDB while they are fetched. Ask again later")
        cold = self.lake.table(f"cold/{name}", PART)
        await asyncio.to_thread(require_kept, cold, {d: recorded[d] for d, where in found.items() if where != "hot"})
        days = [DaySource(day.venue, day.symbol, day.date, source) for day, source in found.items()]
        return SpannedTable(name, file, cold, days, await facts.keys(name), span.from_ns, span.to_ns)

    async def _sources(
        self, facts: FactReader, name: str, span: Span
    ) -> tuple[dict[DayKey, Source], Mapping[DayKey, ColdDay]]:
        # counted within the span, a day that the span cuts looks smaller than its copy: whole days are compared
        whole = Span(floor_ns(span.from_ns, DAY_NS), floor_ns(span.to_ns - 1, DAY_NS) + DAY_NS)
        hot, cold = await facts.hot_days(name, whole.from_ns, whole.to_ns), await facts.cold_days(name)
        return sources(hot, cold, span), cold

    async def _require_bounded(self, facts: FactReader, name: str, wanted: list[DayKey], span: Span) -> None:
        hot = await facts.hot_days(name, span.from_ns, span.to_ns)
        rows = sum(hot.get(day, 0) for day in wanted)
        if rows > self.config.lake.sql_hot_rows_max:
            raise UsageError(
                f"{name}: {rows} rows would be fetched from QuestDB, more than lake.sql_hot_rows_max = "
                f"{self.config.lake.sql_hot_rows_max}. Narrow the span by --from and --to, or take ares db sql"
            )

    def _export(self, name: str, span: Span, file: Path) -> None:
        statement = QUERIES["export_span"].replace("this_table", name)
        ParquetExport(self.config.database).fetch(statement, {"from": span.from_ns, "to": span.to_ns}, file)


def require_kept(table: ColdTable, days: Mapping[DayKey, ColdDay]) -> None:
    """Raises `LakeRejected` where the cold tier has fewer rows of a day than were proved: it is not the one of then."""
    counts = table.counts() if days else {}
    for day, cold in days.items():
        rows = counts.get((day.venue, day.symbol, day.date), 0)
        if rows < cold.rows:
            raise LakeRejected(
                f"{table.uri} has {rows} of {cold.rows} rows of {day.label} that were proved in {cold.location}: set "
                "lake.location back, bring that folder here, or restore it from a backup"
            )


def hot_span(days: list[DayKey], span: Span) -> Span:
    """As little of QuestDB as holds the days; none of it without any."""
    if not days:
        return Span(span.from_ns, span.from_ns)
    return Span(max(span.from_ns, days[0].day_ns), min(span.to_ns, days[-1].day_ns + DAY_NS))
