"""A restored QuestDB beside the one it was copied from, which has been written to since.

What was there before the checkpoint must be in the restored one: each partition has at least the rows that the backup
counted. And the restored one holds nothing else: each of its rows is in the source, which may have more by now.
Of materialized views only the former is asked: late trades change the bars of the source.
"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from dataclasses import dataclass

from ares.errors import StoreRejected
from ares.store import Database
from backup.drill.digest import Part, Span, TableReader, tables
from backup.manifest import Manifest, Partitions

CLOSE_ROWS_MAX = 20_000
"""Of a span that is compared row by row; a larger one is halved."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A partition that is not what it was."""

    table: str
    partition: str
    what: str

    def __str__(self) -> str:
        return f"{self.table} {self.partition}: {self.what}"


@dataclass(frozen=True, slots=True)
class Sides:
    """The two databases, and which part of all partitions is hashed this time; counts are compared of all."""

    restored: Database
    source: Database
    turn: int = 0
    parts: int = 1

    def hashes(self, table: str, partition: str) -> bool:
        """Whether it is this partition's turn."""
        return zlib.crc32(f"{table}/{partition}".encode()) % self.parts == self.turn % self.parts


@dataclass(slots=True)
class Comparison:
    """What came of it."""

    tables: int = 0
    partitions: int = 0
    hashed: int = 0
    rows: int = 0
    gone: int = 0
    """Partitions that the source has dropped since: nothing is left to compare them with."""
    differences: tuple[Difference, ...] = ()


async def compare(sides: Sides, manifest: Manifest) -> Comparison:
    """Compare all tables of the backup. Raises `StoreError` if one of the databases is away."""
    outcome = Comparison()
    found: list[Difference] = []
    restored, source = await tables(sides.restored), await tables(sides.source)
    for table, counted in sorted(manifest.items()):
        if table not in source:
            outcome.gone += len(counted)
            continue
        if table not in restored:
            found += [Difference(table, name, "the whole table is missing") for name in counted or ["(empty)"]]
            continue
        outcome.tables += 1
        found += await _table(sides, await TableReader.of(sides.restored, table, restored[table]), counted, outcome)
    outcome.differences = tuple(found)
    return outcome


async def _table(sides: Sides, table: TableReader, counted: Partitions, outcome: Comparison) -> list[Difference]:
    there = {part.name: part for part in await table.parts(sides.restored)}
    now = {part.name: part.rows for part in await table.parts(sides.source)}
    found: list[Difference] = []
    for name in sorted({*there, *(name for name, rows in counted.items() if rows)}):
        if name not in now:
            outcome.gone += 1
            continue
        outcome.partitions += 1
        part, before = there.get(name), counted.get(name, 0)
        rows = part.rows if part else 0
        outcome.rows += rows
        if rows < before:
            found.append(Difference(table.name, name, f"{before - rows} of {before} rows are missing"))
        elif part is not None:
            found += await _content(sides, table, part, outcome)
    return found


async def _content(sides: Sides, table: TableReader, part: Part, outcome: Comparison) -> list[Difference]:
    """Whether all rows can be read, and each of them is in the source."""
    if part.lost or part.span is None:
        return [Difference(table.name, part.name, f"{part.lost} of {part.rows} rows are in files that are not there")]
    try:
        readable = await table.count(sides.restored, part.span)
    except StoreRejected as error:
        return [Difference(table.name, part.name, f"{part.rows} rows cannot be read: {error}")]
    if readable < part.rows:
        return [Difference(table.name, part.name, f"{readable} of {part.rows} rows can be read")]
    if table.layout.derived or not sides.hashes(table.name, part.name):
        return []
    outcome.hashed += 1
    strange = await _strange(sides, table, part.span)
    return [Difference(table.name, part.name, f"{strange} rows that the source has not")] if strange else []


async def _strange(sides: Sides, table: TableReader, span: Span) -> int:
    """How many restored rows of a span are not in the source. Where the counts differ, hashing waits for a half."""
    there = [await table.count(database, span) for database in (sides.restored, sides.source)]
    if not there[0] or (there[0] == there[1] and await _same(sides, table, span)):
        return 0
    if max(there) > CLOSE_ROWS_MAX and span.end - span.begin > 1:
        return sum([await _strange(sides, table, half) for half in span.halves()])
    restored = Counter(await table.hashes(sides.restored, span))
    return (restored - Counter(await table.hashes(sides.source, span))).total()


async def _same(sides: Sides, table: TableReader, span: Span) -> bool:
    restored, source = await asyncio.gather(table.digest(sides.restored, span), table.digest(sides.source, span))
    return restored == source
