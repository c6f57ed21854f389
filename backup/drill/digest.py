"""Whether two QuestDBs hold the same rows, asked of the databases themselves: no row leaves them.

A row's hash is SHA-256 over its cells as text; the digest of a span is the sum of its rows' hashes modulo 2^256.
"""

from __future__ import annotations

from dataclasses import dataclass

from ares.store import Database, load_queries
from ares.store.partitions import whole_name
from ares.store.pool import as_int, as_str
from backup.columns import CASTS

QUERIES = load_queries("backup.drill", "digest.sql")
WORKED_OUT = frozenset({"bars_1m_recent"})
"""Tables whose rows are a view's, and are written anew: what was backed up may be otherwise by now."""


@dataclass(frozen=True, slots=True)
class Span:
    """Rows with times from `begin` to before `end`, in the unit of the table's own column of time."""

    begin: int
    end: int

    def halves(self) -> tuple[Span, Span]:
        middle = (self.begin + self.end) // 2
        return Span(self.begin, middle), Span(middle, self.end)


@dataclass(frozen=True, slots=True)
class Part:
    """A partition: its name, its rows, the span they lie in, and how many of them lie in files that are not there."""

    name: str
    rows: int
    span: Span | None
    lost: int = 0

    def joined(self, other: Part) -> Part:
        """With another part of the same partition."""
        spans = [span for span in (self.span, other.span) if span is not None]
        both = Span(min(each.begin for each in spans), max(each.end for each in spans)) if spans else None
        return Part(self.name, self.rows + other.rows, both, self.lost + other.lost)


@dataclass(frozen=True, slots=True)
class Layout:
    """What is asked of the catalogue: the column of time, the unit of partitions, and whether views make the rows."""

    clock: str
    unit: str
    derived: bool


@dataclass(frozen=True, slots=True)
class TableReader:
    """Asks one table of any of the databases that have it."""

    name: str
    layout: Layout
    words: tuple[tuple[str, str], ...]

    @classmethod
    async def of(cls, database: Database, name: str, layout: Layout) -> TableReader:
        """As the table is in that database."""
        columns = await database.fetch(QUERIES["columns"], {"relation": name})
        kinds = {as_str(column["name"]): as_str(column["kind"]) for column in columns}
        cells = ",'|',".join(_cell(column, kinds[column]) for column in sorted(kinds))
        words = {"cells": cells, "relation": name, "clock": layout.clock}
        words["kind"] = CASTS[kinds[layout.clock]]
        return cls(name, layout, tuple(words.items()))

    async def count(self, database: Database, span: Span) -> int:
        """Rows of a span."""
        row = await database.fetch_one(self._statement("count"), {"begin": span.begin, "end": span.end})
        return as_int(row["row_count"]) if row else 0

    async def digest(self, database: Database, span: Span) -> str:
        """The digest of a span that has rows."""
        row = await database.fetch_one(self._statement("digest"), {"begin": span.begin, "end": span.end})
        return as_str(row["digest"]) if row else ""

    async def hashes(self, database: Database, span: Span) -> list[str]:
        """The hashes of all rows of a span."""
        rows = await database.fetch(self._statement("hashes"), {"begin": span.begin, "end": span.end})
        return [as_str(row["hash"]) for row in rows]

    async def parts(self, database: Database) -> list[Part]:
        """Its partitions, those without rows left out, those that are split as one."""
        found: dict[str, Part] = {}
        for row in await database.fetch(QUERIES["partitions"], {"relation": self.name}):
            name, rows = whole_name(as_str(row["part"]), self.layout.unit), as_int(row["row_count"])
            if not rows:
                continue
            if row["first"] is None:  # QuestDB counts from its list, and has no file to read times from
                part = Part(name, rows, None, lost=rows)
            else:
                part = Part(name, rows, Span(as_int(row["first"]), as_int(row["last"]) + 1))
            found[name] = found[name].joined(part) if name in found else part
        return list(found.values())

    def _statement(self, name: str) -> str:
        statement = QUERIES[name]
        for word, meaning in self.words:
            statement = statement.replace("{" + word + "}", meaning)
        return statement


async def tables(database: Database) -> dict[str, Layout]:
    """All tables and materialized views."""
    found = {as_str(row["name"]): row for row in await database.fetch(QUERIES["tables"])}
    return {
        name: Layout(as_str(row["clock"]), as_str(row["unit"]), row["kind"] != "T" or name in WORKED_OUT)
        for name, row in found.items()
    }


def _cell(column: str, kind: str) -> str:
    """A cell as text that tells all of its value: times to the nanosecond, lists by all their numbers."""
    if kind.startswith("TIMESTAMP"):
        return f'"{column}"::long'
    return f'"{column}"::varchar' if "[" in kind else f'"{column}"'
