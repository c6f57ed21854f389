"""Does what the plan says: copy, prove, record, and only then drop. Killed anywhere, the next run goes on there."""

from __future__ import annotations

import asyncio
import fcntl
import re
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

from ares.clock import DAY_NS, NANOS_PER_SECOND, Clock
from ares.config.lake import TieredTable, TierRule
from ares.config.settings import AresConfig
from ares.errors import OperatingError
from ares.lake.delta import Lake
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from ares.store.migrate import table_statements
from ares.telemetry import get_logger
from backup.tiers.copying import Copier
from backup.tiers.facts import QUERIES, FactReader
from backup.tiers.model import ColdDay, DayKey, State, Step, Surroundings, TableFacts
from backup.tiers.plan import native_share, plan, refused
from backup.tiers.sampling import sample

APPLIED_S_MAX = 600.0
MIDNIGHT_NS = round(2 * APPLIED_S_MAX * NANOS_PER_SECOND)
"""So long before midnight nothing is told to go by age: applied after it, the order would take a day more."""
TTL = re.compile(r"\bTTL\b")
DIFFERS = "QuestDB's export says other rows than a query, or they just came; the next run tries again"
GROWN = "rows came while it was looked at; the next run copies them"
BESIDE_MIDNIGHT = "it is nearly midnight (UTC), when an age takes a day more; the next run drops it"
log = get_logger(__name__)


@dataclass(slots=True)
class Done:
    """A step that was done, or refused."""

    step: Step
    outcome: str


@dataclass(slots=True)
class Retention:
    """Plans and applies, table by table. Raises `StoreError`, `LakeError`."""

    config: AresConfig
    clock: Clock
    database: Database
    writer: RowWriter
    state_dir: Path
    report: Callable[[str], None] = lambda _: None
    facts: FactReader = field(init=False)
    copier: Copier = field(init=False)

    def __post_init__(self) -> None:
        self.facts = FactReader(self.config, self.database)
        lake = Lake.of(self.config.lake, self.state_dir)
        self.copier = Copier(self.config, self.clock, lake, self.state_dir)

    async def plan(self, tables: Sequence[str] = ()) -> list[Step]:
        """Everything that is due now, refusals with their reasons; nothing is changed."""
        return [step for rule in self._rules(tables) for step in plan(rule, *await self._look(rule))]

    async def apply(self, tables: Sequence[str] = ()) -> AsyncIterator[Done]:
        """Do what is due. Copies come first, and what may be dropped is decided again after them."""
        await self.end_left_over()
        for rule in self._rules(tables):
            await self._end_ttl(rule.table)
            facts, around = await self._look(rule)
            for step in plan(rule, facts, around):
                if step.action == "copy":
                    yield await self._copy(step, facts)
            for step in plan(rule, *await self._look(rule)):
                if step.action == "parquet":
                    yield await self._convert(step)
            await self._settle(rule)
            async for done in self._drops(rule):
                yield done

    async def tidy(self) -> None:
        """Join small files of the cold tier, and remove those that neither its newest version nor a dataset needs."""
        for rule in self.config.lake.tiers:
            table = self.copier.table(rule.table)
            pinned = await self.facts.pinned(table.uri)
            await asyncio.to_thread(table.compact)
            removed = await asyncio.to_thread(table.vacuum, self.config.lake.vacuum_after_hours, pinned)
            log.info("cold_table_tidied", table=rule.table, files_removed=len(removed))

    async def _look(self, rule: TierRule) -> tuple[TableFacts, Surroundings]:
        return await self.facts.look(rule, self.clock.now_ns())

    def _rules(self, tables: Sequence[str]) -> list[TierRule]:
        return [rule for rule in self.config.lake.tiers if not tables or rule.table in tables]

    async def _copy(self, step: Step, facts: TableFacts) -> Done:
        table, day = step.table, step.days[0]
        self.report(f"copying {table} {day.label}")
        keys, before = await self.facts.keys(table), facts.cold.get(day)
        copied = await self.copier.copy(table, keys, day, before, ends=await sample(self.database, table, day))
        if copied is None:
            return _refusal(refused(step, DIFFERS))
        size_bytes, is_parquet = native_share(facts, day)
        cold = ColdDay(
            "copied",
            1 if before is None else before.revision + (before.state != "copied"),
            copied.digest.rows,
            copied.digest.sha256,
            copied.written.version,
            self.clock.now_ns(),
            copied.location,
            None if is_parquet else size_bytes,
            size_bytes if is_parquet else None,
            copied.written.size_bytes,
        )
        await self._record(table, {day: cold})
        await self.copier.prove(table, keys, day, copied)
        await self._record(table, {day: self._now(cold, "proved")})
        log.info("day_copied", table=table, day=day.label, rows=cold.rows, revision=cold.revision)
        return Done(step, f"copied and proved, {cold.rows} rows, revision {cold.revision}")

    async def _convert(self, step: Step) -> Done:
        self.report(f"converting {step.table} {step.span}")
        statement = QUERIES["to_parquet"].replace("this_partition", step.partitions[0])
        await self.database.execute(statement.replace("this_table", step.table))
        await self.database.wait_applied([step.table], APPLIED_S_MAX)
        return Done(step, "Parquet in QuestDB")

    async def _settle(self, rule: TierRule) -> None:
        """Record what a run that was killed could not: days that are gone, and how large others became as Parquet."""
        facts = await self.facts.table(rule, self.clock.now_ns())
        settled = {}
        for day, cold in facts.cold.items():
            size_bytes, is_parquet = native_share(facts, day)
            if is_parquet and size_bytes and cold.parquet_bytes is None:
                settled[day] = replace(cold, parquet_bytes=size_bytes)
            elif cold.state == "proved" and not facts.hot.get(day):
                settled[day] = self._now(cold, "dropped")
        await self._record(rule.table, settled)

    async def _drops(self, rule: TierRule) -> AsyncIterator[Done]:
        """Each decided on what is there at that moment, and done before the next is looked at; by age, all at once."""
        await self.database.wait_applied([rule.table], APPLIED_S_MAX)
        facts, around = await self._look(rule)
        due = [step for step in plan(rule, facts, around) if step.action == "drop"]
        free: list[Step] = []
        for step in due:
            checked = step if step.refusals else await self._checked(step, facts)
            if facts.feeds_views and not checked.refusals and len(free) != due.index(step):
                checked = refused(checked, f"{due[len(free)].span} stays, and by age nothing younger goes before it")
            if checked.refusals:
                yield _refusal(checked)
            elif facts.feeds_views:
                free.append(checked)
            else:
                async for done in self._drop_by_name(rule, checked, facts):
                    yield done
        if free:
            async for done in self._drop_by_age(rule, free, facts):
                yield done

    async def _checked(self, step: Step, facts: TableFacts) -> Step:
        """The proof of both sides, made again at the last moment.

        Rows may have been changed here without changing their number, and there files were joined, moved or lost.
        """
        keys = await self.facts.keys(step.table)
        for day in step.days:
            cold = facts.cold[day]
            why = ""
            if not await self.copier.is_held(step.table, keys, day, cold):
                why = "rows were changed after the copy"
            elif not await self.copier.is_kept(step.table, keys, day, cold):
                why = "the cold tier does not give it back as it was proved"
            if why:
                again = replace(self._now(cold, "copied"), revision=cold.revision + 1)
                await self._record(step.table, {day: again})
                return refused(step, f"{day.label}: {why}; the next run copies it again")
        return step

    async def _grown(self, step: Step, facts: TableFacts) -> bool:
        """Whether rows came since the table was looked at; what waits to be applied is counted."""
        await self.database.wait_applied([step.table], APPLIED_S_MAX)
        ours = [part for part in facts.partitions if part.name in step.partitions]
        now = await self.facts.hot_days(step.table, ours[0].start_ns, ours[-1].end_ns)
        return now != {day: facts.hot[day] for day in step.days}

    async def _drop_by_name(self, rule: TierRule, step: Step, facts: TableFacts) -> AsyncIterator[Done]:
        if await self._grown(step, facts):
            yield _refusal(refused(step, GROWN))
            return
        names = ", ".join(f"'{name}'" for name in step.partitions)
        statement = QUERIES["drop_partitions"].replace("these_partitions", names).replace("this_table", rule.table)
        await self.database.execute(statement)
        await self.database.wait_applied([rule.table], APPLIED_S_MAX)
        async for done in self._dropped(rule, [step], facts):
            yield done

    async def _drop_by_age(self, rule: TierRule, steps: list[Step], facts: TableFacts) -> AsyncIterator[Done]:
        """Tell QuestDB an age by which exactly these go, and take it back at once; not beside midnight (UTC).

        The age is by its clock: a table whose newest row is older drops less then, never more.
        """
        end_ns = next(part.end_ns for part in facts.partitions if part.name == steps[-1].partitions[-1])
        grown = [step for step in steps if await self._grown(step, facts)]
        age_days, beyond_ns = divmod(await self.facts.server_now_ns() - end_ns, DAY_NS)
        if grown or age_days < 1 or beyond_ns > DAY_NS - MIDNIGHT_NS:
            for step in steps:
                yield _refusal(refused(step, GROWN if grown else BESIDE_MIDNIGHT))
            return
        try:
            await self._set_ttl(rule.table, age_days, "DAYS")
        finally:
            await self._set_ttl(rule.table, 0, "HOURS")
        async for done in self._dropped(rule, steps, facts):
            yield done

    async def end_left_over(self) -> None:
        """Take back an age that a run gave and died before it took it back, or that came back with a backup."""
        created = {each.name: each.sql for each in table_statements()}
        for table in get_args(TieredTable):
            if not TTL.search(created[table]):
                await self._end_ttl(table)

    async def _end_ttl(self, table: str) -> None:
        """From now on nothing is dropped but by this job: the schema's own TTL asks for no proof."""
        facts = await self.database.fetch_one(QUERIES["ttl"], {"table": table})
        if facts is not None and facts["value"]:
            await self._set_ttl(table, 0, "HOURS")
            log.info("ttl_ended", table=table)

    async def _set_ttl(self, table: str, age: int, unit: str) -> None:
        statement = QUERIES["set_ttl"].replace("this_age", str(age)).replace("this_unit", unit)
        await self.database.execute(statement.replace("this_table", table))
        await self.database.wait_applied([table], APPLIED_S_MAX)

    async def _dropped(self, rule: TierRule, steps: list[Step], before: TableFacts) -> AsyncIterator[Done]:
        """Record what is gone now; what QuestDB kept all the same is said and stays proved."""
        facts = await self.facts.table(rule, self.clock.now_ns())
        left = {part.name for part in facts.partitions}
        for step in steps:
            if left & set(step.partitions):
                yield Done(step, "QuestDB kept it: by its newest row it is not old enough")
                continue
            gone = {day: self._now(before.cold[day], "dropped") for day in step.days}
            await self._record(rule.table, gone)
            log.info("partition_dropped", table=rule.table, span=step.span, rows=step.rows)
            yield Done(step, f"dropped, {step.rows} rows")

    def _now(self, cold: ColdDay, state: State) -> ColdDay:
        return replace(cold, state=state, recorded_ns=self.clock.now_ns())

    async def _record(self, table: str, days: dict[DayKey, ColdDay]) -> None:
        """Rows that can be read when this returns: the next step rests on them."""
        if days:
            await self.writer.write([row_of(table, day, cold) for day, cold in days.items()])
            await self.database.wait_applied(["cold_partitions"])


async def aged_by_nobody(config: AresConfig, clock: Clock, state_dir: Path) -> None:
    """What a run does first, alone: no table without an age of its own has one. Raises as `applied`."""
    writer = RowWriter(config.database)
    try:
        with alone(state_dir):
            async with await Database.connect(config.database) as database:
                await Retention(config, clock, database, writer, state_dir).end_left_over()
    finally:
        await writer.close()


async def applied(
    config: AresConfig,
    clock: Clock,
    state_dir: Path,
    tables: Sequence[str] = (),
    report: Callable[[str], None] = lambda _: None,
) -> list[Done]:
    """One run, alone on this machine. Raises `OperatingError` while another runs, `StoreError`, `LakeError`."""
    writer = RowWriter(config.database)
    try:
        with alone(state_dir):
            async with await Database.connect(config.database) as database:
                work = Retention(config, clock, database, writer, state_dir, report)
                done = [each async for each in work.apply(tables)]
                await work.tidy()
                return done
    finally:
        await writer.close()


@contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """Nobody else is in here; whoever is killed in here lets go of it. Raises `OperatingError`."""
    path = state_dir / "run" / "retention.lock"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError:
        raise OperatingError("another run of retention works here. Wait for it: ares job list, job_runs") from None


def _refusal(step: Step) -> Done:
    return Done(step, f"refused: {'; '.join(step.refusals)}")


def row_of(table: str, day: DayKey, cold: ColdDay) -> Row:
    """The row of `cold_partitions`."""
    return Row(
        "cold_partitions",
        day.day_ns,
        {"table_name": table, "venue": day.venue, "symbol": day.symbol, "state": cold.state},
        {
            "revision": cold.revision,
            "rows": cold.rows,
            "row_hash": cold.row_hash,
            "location": cold.location,
            "delta_version": cold.delta_version,
            "native_bytes": cold.native_bytes,
            "parquet_bytes": cold.parquet_bytes,
            "delta_bytes": cold.delta_bytes,
            "recorded_at": UtcNs(cold.recorded_ns),
        },
    )
