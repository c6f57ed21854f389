"""What to copy, to convert and to drop, decided from facts alone; nothing is read or written here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from ares.clock import DAY_NS, floor_ns, to_datetime
from ares.config.lake import TierRule
from backup.tiers.model import DayKey, HotPartition, Step, Surroundings, TableFacts

MARGIN_DAYS = 2
"""A table that drops by age keeps so many proved days beyond: should a process end before it takes its order to drop
back, the order goes on with time."""


def plan(rule: TierRule, facts: TableFacts, around: Surroundings) -> list[Step]:
    """All that is due, in the order in which it is done: copies, conversions, drops."""
    drops = list(_drops(rule, facts, around))
    going = {name for step in drops if not step.refusals for name in step.partitions}
    return [*_copies(rule, facts, around), *_conversions(rule, facts, around, going), *drops]


def needs_copy(facts: TableFacts, day: DayKey) -> bool:
    """Whether the cold tier may lack something that QuestDB has of that day.

    What is there after a drop came later; a number of rows that grew says so before one. What changed without a change
    of their number is found by the proof that precedes a drop.
    """
    cold, rows = facts.cold.get(day), facts.hot.get(day, 0)
    if not rows:
        return False
    return cold is None or cold.state in {"copied", "dropped"} or rows > cold.rows


def _copies(rule: TierRule, facts: TableFacts, around: Surroundings) -> Iterator[Step]:
    for day in sorted(facts.hot):
        if day.day_ns + (1 + rule.cold_after_days) * DAY_NS <= around.now_ns and needs_copy(facts, day):
            yield Step("copy", facts.table, day.label, facts.hot[day], _share_bytes(facts, day), days=(day,))


def _conversions(rule: TierRule, facts: TableFacts, around: Surroundings, going: set[str]) -> Iterator[Step]:
    if not rule.parquet_after_days:
        return
    for part in facts.partitions:
        is_due = part.end_ns + rule.parquet_after_days * DAY_NS <= around.now_ns
        if is_due and not (part.is_parquet or part.active or part.name in going):
            yield Step("parquet", facts.table, part.name, part.rows, part.size_bytes, partitions=(part.name,))


def _drops(rule: TierRule, facts: TableFacts, around: Surroundings) -> Iterator[Step]:
    if not rule.drop_after_days:
        return
    earlier: str | None = None
    for start_ns, partitions in _units(facts.partitions):
        end_ns = max(partitions[-1].end_ns, start_ns + DAY_NS)
        if end_ns + rule.drop_after_days * DAY_NS > around.now_ns or any(part.active for part in partitions):
            return
        step = _drop(rule, facts, around, partitions)
        if facts.feeds_views and earlier is not None:
            step = refused(step, f"{earlier} stays, and by age nothing younger goes before it")
        if step.refusals and earlier is None:
            earlier = step.span
        yield step


def _units(partitions: Sequence[HotPartition]) -> Iterator[tuple[int, list[HotPartition]]]:
    """Partitions that go together: the hours of a day; else each alone."""
    for start_ns, group in groupby(partitions, key=lambda part: floor_ns(part.start_ns, DAY_NS)):
        yield start_ns, list(group)


def _drop(rule: TierRule, facts: TableFacts, around: Surroundings, partitions: list[HotPartition]) -> Step:
    start_ns, end_ns = partitions[0].start_ns, partitions[-1].end_ns
    days = tuple(day for day in sorted(facts.hot) if start_ns < day.day_ns + DAY_NS and day.day_ns < end_ns)
    span = partitions[0].name[:10]
    reasons = [reason for day in days for reason in _reasons(facts, around, day)]
    if facts.feeds_views:
        reasons += _reasons_of_views(rule, facts, around, end_ns)
    if facts.ttl:
        reasons.append(f"{facts.table} drops by itself after {facts.ttl}, copied or not: `apply` ends that first")
    rows, size_bytes = sum(part.rows for part in partitions), sum(part.size_bytes for part in partitions)
    names = tuple(part.name for part in partitions)
    return Step("drop", facts.table, span, rows, size_bytes, days, names, tuple(dict.fromkeys(reasons)))


def _reasons(facts: TableFacts, around: Surroundings, day: DayKey) -> Iterator[str]:
    cold = facts.cold.get(day)
    if cold is None:
        yield f"{day.label} is not in the cold tier"
    elif needs_copy(facts, day):
        proof = "the copy is not proved" if cold.state == "copied" else "rows came after the copy"
        yield f"{day.label}: {proof}"
    elif around.proved_ns is not None and around.proved_ns < cold.recorded_ns:
        moment = f"{to_datetime(cold.recorded_ns):%Y-%m-%d %H:%M}"
        yield f"{day.label}: no restore drill has proved a backup made after it was copied ({moment})"
    yield from (hold.reason for hold in around.holds if hold.touches(facts.table, day))


def _reasons_of_views(rule: TierRule, facts: TableFacts, around: Surroundings, end_ns: int) -> Iterator[str]:
    """A materialized view keeps its rows only as long as nothing arrives for them any more.

    A day lies between the two ages: a row may wait in a spool, or in an import, after it was judged by its own.
    """
    if not 0 < around.late_trades_days < rule.drop_after_days:
        yield (
            f"a late row would change bars that {facts.table} no longer backs: set database.retention_trades_days "
            f"to at most {rule.drop_after_days - 1}, so that it goes to the archive"
        )
    unproved = [
        day
        for day in sorted(facts.hot)
        if end_ns <= day.day_ns < end_ns + MARGIN_DAYS * DAY_NS and needs_copy(facts, day)
    ]
    if unproved:
        yield f"{unproved[0].label} is not proved, and by age it is next"


def refused(step: Step, reason: str) -> Step:
    """The same step, with one reason more against it."""
    return Step(
        step.action,
        step.table,
        step.span,
        step.rows,
        step.size_bytes,
        step.days,
        step.partitions,
        (*step.refusals, reason),
    )


def _share_bytes(facts: TableFacts, day: DayKey) -> int:
    """Bytes in QuestDB, of partitions that hold others too by their rows."""
    return native_share(facts, day)[0]


def native_share(facts: TableFacts, day: DayKey) -> tuple[int, bool]:
    """Bytes of a day in QuestDB by its share of rows of the partitions that it lies in, and whether all are Parquet."""
    spans = [p for p in facts.partitions if p.start_ns < day.day_ns + DAY_NS and day.day_ns < p.end_ns]
    rows = sum(part.rows for part in spans)
    size_bytes = sum(part.size_bytes for part in spans)
    share = facts.hot.get(day, 0) / rows if rows else 0.0
    return round(size_bytes * share), bool(spans) and all(part.is_parquet for part in spans)
