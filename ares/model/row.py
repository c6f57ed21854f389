"""A row on its way to the store: the one shape that every writer, mirror and spool understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Protocol


class UtcNs(int):
    """A moment, in UTC nanoseconds since 1970, where a plain int would be taken for a number."""


Levels = Sequence[Sequence[float]]
"""A DOUBLE[][] value: here always two equally long lists, prices then amounts."""

Cell = bool | int | float | str | Decimal | UtcNs | Levels | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row of `table` at event time `ts_ns` (UTC ns).

    `symbols` are the SYMBOL columns, `columns` all others; None means NULL. Writing the same row twice leaves one
    row, because every table's DEDUP keys identify it.
    """

    table: str
    ts_ns: int
    symbols: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Cell] = field(default_factory=dict)


class Storable(Protocol):
    """What a writer takes: a `Row`, or a thing that knows its own table and columns, as a `Trade` does."""

    @property
    def table(self) -> str: ...

    @property
    def ts_ns(self) -> int: ...

    @property
    def symbols(self) -> Mapping[str, str]: ...

    @property
    def columns(self) -> Mapping[str, Cell]: ...
