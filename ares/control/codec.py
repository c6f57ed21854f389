"""Rows as JSON and back, without losing what a cell was: decimals and timestamps are tagged."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import orjson

from ares.control.types import Json
from ares.model.row import Cell, Row, UtcNs


def dump_row(row: Row) -> str:
    """A row as one line of JSON."""
    cells = {name: _dump_cell(cell) for name, cell in row.columns.items()}
    return orjson.dumps({"t": row.table, "at": row.ts_ns, "s": dict(row.symbols), "c": cells}).decode()


def load_row(text: str) -> Row:
    """The row that `dump_row` wrote."""
    body = orjson.loads(text)
    cells = {name: _load_cell(cell) for name, cell in body["c"].items()}
    return Row(body["t"], body["at"], body["s"], cells)


def _dump_cell(cell: Cell) -> Json:
    match cell:
        case Decimal():
            return {"d": str(cell)}
        case UtcNs():
            return {"ns": int(cell)}
        case bool() | int() | float() | str() | None:
            return cell
        case _:
            return [[float(number) for number in level] for level in cell]


def _load_cell(cell: Json) -> Cell:
    match cell:
        case {"d": str(text)}:
            return Decimal(text)
        case {"ns": int(ns)}:
            return UtcNs(ns)
        case list():
            return _load_levels(cell)
        case dict():
            raise ValueError(f"not a cell: {cell!r}")
        case _:
            return cell


def _load_levels(levels: Sequence[Json]) -> list[list[float]]:
    return [[float(n) for n in level if isinstance(n, int | float)] for level in levels if isinstance(level, list)]
