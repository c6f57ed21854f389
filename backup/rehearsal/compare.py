"""What differs between two versions of the server on the same files. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Partition:
    """Rows of a partition, and SHA-256 over them as a client reads them."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns with their types, its partitions by name."""

    columns: Mapping[str, str]
    partitions: Mapping[str, Partition]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.partitions.values())


@dataclass(frozen=True, slots=True)
class View:
    """A view: of which kind, valid or not, how long its first rows take, and why there are none."""

    kind: str
    status: str
    seconds: float
    error: str


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything, as one version of the server says it."""

    version: str
    start_s: float
    tables: Mapping[str, Table]
    views: Mapping[str, View]
    scan_s: float


@dataclass(frozen=True, slots=True)
class Difference:
    """What is not as it was. `kind`: start, table, column, rows, bytes, view, migrate, write, back."""

    kind: str
    name: str
    detail: str


@dataclass(frozen=True, slots=True)
class Ratios:
    """Times of the other version by those of the current one; above 1: slower. None: too short to tell."""

    start: float
    scan: float
    views: float | None


def differences(before: Observed, after: Observed) -> Iterator[Difference]:
    """Tables, columns, rows, hashes, views; materialized views may have grown, for their minutes go on closing."""
    for name in sorted(before.tables.keys() | after.tables.keys()):
        if name not in after.tables or name not in before.tables:
            yield Difference("table", name, "gone" if name in before.tables else "was not there")
        else:
            yield from _of_table(name, before.tables[name], after.tables[name])
    for name, view in before.views.items():
        other = after.views.get(name)
        if other is None:
            yield Difference("view", name, "gone")
        elif other.error and not view.error:
            yield Difference("view", name, other.error)
        elif other.status != view.status:
            yield Difference("view", name, f"{view.status} before, {other.status} now")


def _of_table(name: str, before: Table, after: Table) -> Iterator[Difference]:
    for column, kind in before.columns.items():
        if after.columns.get(column) != kind:
            yield Difference("column", f"{name}.{column}", f"{kind} before, {after.columns.get(column, 'gone')} now")
    for partition in sorted(before.partitions.keys() | after.partitions.keys()):
        one, other = before.partitions.get(partition), after.partitions.get(partition)
        place = f"{name} {partition}"
        if one is None or other is None or one.rows != other.rows:
            yield Difference("rows", place, f"{one.rows if one else 0} before, {other.rows if other else 0} now")
        elif one.sha256 != other.sha256:
            yield Difference("bytes", place, "as many rows, and clients read something else")


def ratios(before: Observed, after: Observed) -> Ratios:
    """Times of the same run on the same machine."""
    both = [
        after.views[name].seconds / view.seconds
        for name, view in before.views.items()
        if name in after.views and view.seconds > 0 and after.views[name].seconds > 0
    ]
    return Ratios(after.start_s / before.start_s, after.scan_s / before.scan_s, median(both) if both else None)
