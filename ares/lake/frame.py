"""Rows in columns that become a version of a dataset, in the order of their keys. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

ColumnKind = Literal["moment", "text", "integer", "number"]
FrameCell = int | float | str | None
Key = tuple[FrameCell, ...]


class Column(NamedTuple):
    """A column. A moment is in UTC nanoseconds here, and in microseconds in files."""

    name: str
    kind: ColumnKind


@dataclass(frozen=True, slots=True)
class Frame:
    """Columns of equal length. The first `keys` columns identify a row; rows are in their order."""

    columns: tuple[Column, ...]
    data: Mapping[str, Sequence[FrameCell]]
    keys: int

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.data[self.columns[0].name]) if self.columns else 0

    @property
    def names(self) -> tuple[str, ...]:
        """The columns by name, in order."""
        return tuple(column.name for column in self.columns)

    def records(self) -> Iterator[tuple[FrameCell, ...]]:
        """Row by row."""
        return zip(*(self.data[name] for name in self.names), strict=True)


def frame_of(columns: Sequence[Column], keys: int, rows: Sequence[Sequence[FrameCell]]) -> Frame:
    """A frame of rows in any order."""
    ordered = sorted(
        rows, key=lambda row: tuple(str(cell) if isinstance(cell, str) else cell or 0 for cell in row[:keys])
    )
    cells = list(zip(*ordered, strict=True)) if ordered else [()] * len(columns)
    data = {column.name: cells[place] for place, column in enumerate(columns)}
    return Frame(tuple(columns), data, keys)


@dataclass(frozen=True, slots=True)
class Difference:
    """What is other in the second of two frames. `changed_columns` counts, for each, the rows that differ in it."""

    added: tuple[Key, ...]
    removed: tuple[Key, ...]
    changed: tuple[Key, ...]
    changed_columns: Mapping[str, int]
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether nothing is."""
        return not (self.added or self.removed or self.changed or self.columns_added or self.columns_removed)


def difference(first: Frame, second: Frame) -> Difference:
    """Rows by their keys, columns by their names; a column that only one has changes no row."""
    assert first.names[: first.keys] == second.names[: second.keys], "frames of one key are compared"
    shared = [name for name in first.names[first.keys :] if name in set(second.names)]
    before, after = _by_key(first, shared), _by_key(second, shared)
    changed = tuple(key for key, cells in before.items() if key in after and after[key] != cells)
    counts = {
        name: sum(before[key][place] != after[key][place] for key in changed) for place, name in enumerate(shared)
    }
    return Difference(
        tuple(key for key in after if key not in before),
        tuple(key for key in before if key not in after),
        changed,
        {name: count for name, count in counts.items() if count},
        tuple(name for name in second.names if name not in set(first.names)),
        tuple(name for name in first.names if name not in set(second.names)),
    )


def _by_key(frame: Frame, names: Sequence[str]) -> dict[Key, tuple[FrameCell, ...]]:
    keys = zip(*(frame.data[name] for name in frame.names[: frame.keys]), strict=True)
    cells = zip(*(frame.data[name] for name in names), strict=True) if names else ((),) * frame.rows
    return dict(zip(keys, cells, strict=True))
