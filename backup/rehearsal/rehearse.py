"""The rehearsal: current version, other version, migrations, writes, and the way back, all on one copy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from ares.clock import Clock, isoformat
from ares.config.settings import DatabaseConfig
from ares.errors import ServerFailed, StoreError, UsageError
from backup.rehearsal.compare import Difference, Observed, Ratios, differences, ratios
from backup.rehearsal.observe import migrated, observe, smoke
from backup.rehearsal.scratch import running, scratch_config
from backup.restore.scratch import TRIGGER

Report = Callable[[str], None]
SHOWN_MAX = 20
GROWN = frozenset({"schema_migrations", "view_digests", "lineage", "catalog_columns"})
"""What migrating writes of itself, so that they are not as they were even where nothing was lost."""


@dataclass
class Rehearsal:
    """What was tried and what came of it. `back`: what the current version says of the files afterwards."""

    current: str
    other: str
    made_at: str
    copied_bytes: int
    tables: int = 0
    partitions: int = 0
    rows: int = 0
    views: int = 0
    migrations: Sequence[str] = ()
    ratios: Ratios | None = None
    back: str = "not tried"
    differences: list[Difference] = field(default_factory=list)

    def json(self) -> bytes:
        """For programs."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    def text(self) -> str:
        """For people."""
        told = (
            "start {start:.2f}, scan {scan:.2f}, views {views:.2f}".format(**asdict(self.ratios))
            if self.ratios
            else "none"
        )
        lines = [
            f"QuestDB {self.current} to {self.other}, on a copy of {self.copied_bytes >> 20} MiB, {self.made_at}",
            f"compared: {self.tables} tables, {self.partitions} partitions, {self.rows} rows by hash",
            f"asked: {self.views} views; written and read: line protocol, PostgreSQL wire",
            f"times by those of {self.current} in the same run: {told}",
            f"back to {self.current} on the same files: {self.back}",
            f"{len(self.differences)} differences",
            *(f"  {each.kind} {each.name}: {' '.join(each.detail.split())}" for each in self.differences[:SHOWN_MAX]),
            *([f"  and {len(self.differences) - SHOWN_MAX} more"] if len(self.differences) > SHOWN_MAX else []),
        ]
        return "\n".join(lines) + "\n"


def rehearse(
    config: DatabaseConfig, other: str, folder: Path, *, copied_bytes: int, clock: Clock, report: Report
) -> Rehearsal:
    """Try the version `other` on the copy in `folder`/questdb. Raises `ServerFailed` if the current one fails on it."""
    current = config.questdb_version
    if other == current:
        raise UsageError(f"to = {other!r}: that version runs now. Name another; Maven Central lists them")
    done = Rehearsal(current, other, isoformat(clock.now_ns()), copied_bytes)
    report(f"QuestDB {current} on the copy")
    if (folder / "questdb" / TRIGGER).exists():
        with running(scratch_config(config, current), folder, clock):
            pass  # it recovers from the checkpoint, which is no start as usual
    ours = scratch_config(config, current)
    with running(ours, folder, clock) as start_s:
        before = asyncio.run(observe(ours, start_s, clock))
    done.tables, done.views = len(before.tables), len(before.views)
    done.partitions = sum(len(table.partitions) for table in before.tables.values())
    done.rows = sum(table.rows for table in before.tables.values())
    report(f"QuestDB {other} on the copy")
    theirs = scratch_config(config, other)
    try:
        with running(theirs, folder, clock) as start_s:
            _try(done, before, theirs, start_s, clock)
    except (ServerFailed, StoreError) as error:
        done.differences.append(Difference("start", other, str(error)))
    report(f"QuestDB {current} on the copy again")
    _go_back(done, before, config, folder, clock)
    return done


def _try(done: Rehearsal, before: Observed, theirs: DatabaseConfig, start_s: float, clock: Clock) -> None:
    columns = {name: sorted(table.columns) for name, table in before.tables.items()}
    after = asyncio.run(observe(theirs, start_s, clock, columns))
    done.differences += differences(before, after)
    done.ratios = ratios(before, after)
    try:
        done.migrations = asyncio.run(migrated(theirs, clock)).migrations
    except (StoreError, UsageError) as error:
        done.differences.append(Difference("migrate", done.other, str(error)))
    try:
        wrong = asyncio.run(smoke(theirs, clock))
    except StoreError as error:
        wrong = str(error)
    if wrong:
        done.differences.append(Difference("write", done.other, wrong))


def _go_back(done: Rehearsal, before: Observed, config: DatabaseConfig, folder: Path, clock: Clock) -> None:
    """Whether the current version still reads what the other one left: if not, only a restore leads back."""
    ours = scratch_config(config, done.current)
    try:
        with running(ours, folder, clock) as start_s:
            after = asyncio.run(observe(ours, start_s, clock, {n: sorted(t.columns) for n, t in before.tables.items()}))
    except (ServerFailed, StoreError) as error:
        done.back = f"does not work, only a restore leads back: {error}"
        return
    lost = [
        each for each in differences(before, after) if each.name.split(" ")[0] not in GROWN and each.kind != "table"
    ]
    done.back = "reads the same" if not lost else f"{len(lost)} differences, only a restore leads back: {lost[0].name}"
