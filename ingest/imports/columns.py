"""Some rows of a file in columns, read as numbers. What is not one becomes a value that no sound row has. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ares.clock import NANOS_PER_MILLI
from ares.errors import UsageError

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

NO_NUMBER = -1
"""Where an id, a time or a choice should be and is not."""
LONG_MAX = 2**63 - 1
UNITS_NS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
LEAST_OF_UNIT = ((10**17, 1), (10**14, 1_000), (10**11, 1_000_000))
"""From the least number on that is a moment after 1973 in ns, µs or ms, and how many ns that unit has."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows `first_row`... (counted from 1) of a file; `meta` is what the file says of itself."""

    first_row: int
    columns: Mapping[str, pa.Array]
    meta: Mapping[str, str]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def floats(self, name: str) -> Floats:
        """A column as floats, each the nearest to the file's decimal text; NaN for what is no number."""
        numbers = _cast(self.columns[name], pa.float64())
        return np.asarray(pc.fill_null(numbers, float("nan")).to_numpy(zero_copy_only=False), np.float64)

    def integers(self, name: str) -> Integers:
        """A column as whole numbers; `NO_NUMBER` for what is none."""
        numbers = _cast(self.columns[name], pa.int64())
        return np.asarray(pc.fill_null(numbers, NO_NUMBER).to_numpy(zero_copy_only=False), np.int64)

    def times_ns(self, name: str) -> Integers:
        """A column of moments as UTC ns: of a type that says its unit, or numbers whose size tells ms, µs and ns."""
        column = self.columns[name]
        if not pa.types.is_timestamp(column.type):
            return scaled(self.integers(name))
        numbers = np.asarray(pc.fill_null(pc.cast(column, pa.int64()), NO_NUMBER).to_numpy(zero_copy_only=False))
        unit_ns = UNITS_NS[column.type.unit]
        return np.where((numbers > 0) & (numbers <= LONG_MAX // unit_ns), numbers, NO_NUMBER) * unit_ns

    def choices(self, name: str, yes: str, no: str) -> Integers:
        """1 where a column says `yes`, 0 where it says `no`, `NO_NUMBER` elsewhere; case does not matter."""
        words = pc.utf8_lower(_cast(self.columns[name], pa.string()))
        chosen = pc.if_else(pc.equal(words, yes), 1, pc.if_else(pc.equal(words, no), 0, NO_NUMBER))
        return np.asarray(pc.fill_null(chosen, NO_NUMBER).to_numpy(zero_copy_only=False), np.int64)

    def text(self, position: int) -> str:
        """A row as text, with its number in the file."""
        cells = ",".join(f"{name}={column[position].as_py()!s}" for name, column in self.columns.items())
        return f"row {self.first_row + position}: {cells}"


def scaled(numbers: Integers) -> Integers:
    """Moments in ms, µs or ns since 1970 as ns; `NO_NUMBER` for what is none of them."""
    moments = np.full(len(numbers), NO_NUMBER, np.int64)
    above = LONG_MAX + 1
    for least, unit_ns in LEAST_OF_UNIT:
        here = (numbers >= least) & (numbers < above)
        moments[here] = numbers[here] * unit_ns
        above = least
    return moments


def whole_millis(times_ns: Integers) -> Integers:
    """Moments without what is finer than a millisecond."""
    return np.where(times_ns > 0, times_ns - times_ns % NANOS_PER_MILLI, times_ns)


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The column as another type; NULL for each cell that cannot be, which are found by halving.

    Raises `UsageError` for a column whose type never can.
    """
    try:
        return pc.cast(column, kind)
    except pa.ArrowNotImplementedError:
        raise UsageError(f"a column of type {column.type} where {kind} is expected: not this layout") from None
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind)
    middle = len(column) // 2
    return pa.concat_arrays([_cast(column[:middle], kind), _cast(column[middle:], kind)])
