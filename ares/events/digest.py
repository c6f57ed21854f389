"""Whether two heaps of rows are the same, in memory that does not grow with them.

Rows fall into buckets by the hash of their table and time; a bucket is the count of its rows and the sum of their
hashes (128 bits), which is the same in whatever order rows came. Buckets that differ say where to look closer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ares.model.row import Cell, Row
from ares.store import Record

BUCKETS = 4_096
_MODULUS = 2**128

Shown = tuple[tuple[str, str], ...]
"""A row as sorted (column, text) pairs, empty cells left out."""


@dataclass(slots=True)
class Digest:
    """What was added, as counts and sums of hashes."""

    rows: int = 0
    counts: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    sums: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(self, ts_ns: int, shown: Shown) -> None:
        bucket = bucket_of(ts_ns)
        self.rows += 1
        self.counts[bucket] += 1
        self.sums[bucket] = (self.sums[bucket] + _hash(shown)) % _MODULUS

    def differing(self, other: Digest) -> frozenset[int]:
        """The buckets that are not the same."""
        return frozenset(
            bucket
            for bucket in range(BUCKETS)
            if self.counts[bucket] != other.counts[bucket] or self.sums[bucket] != other.sums[bucket]
        )


def bucket_of(ts_ns: int) -> int:
    """In which bucket rows of this time fall."""
    return int.from_bytes(hashlib.blake2b(ts_ns.to_bytes(8, "big", signed=True), digest_size=4).digest()) % BUCKETS


def shown_row(row: Row) -> Shown:
    """A row that we would write."""
    cells: dict[str, Cell] = {"ts": row.ts_ns, **row.symbols, **row.columns}
    return _shown(cells)


def shown_record(record: Record) -> Shown:
    """A row that was read."""
    return _shown(record)


def _shown(cells: Mapping[str, object]) -> Shown:
    return tuple(sorted((name, text) for name, cell in cells.items() if (text := _text(cell))))


def _text(cell: object) -> str:
    """Nothing and empty text are the same; decimals of one value too, whatever their digits."""
    match cell:
        case None:
            return ""
        case Decimal():
            return f"{cell.normalize():f}"
        case _:
            return str(cell)


def _hash(shown: Shown) -> int:
    text = "\x1f".join(f"{name}\x1e{value}" for name, value in shown)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest())
