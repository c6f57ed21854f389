"""Columns of what is read: of which kind, in which unit, and how a cell is written for people and programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import isfinite

from pydantic import BaseModel, Field, create_model

from ares.clock import isoformat
from ares.store import Record
from ares.store.catalog import words_of
from ares.store.pool import as_int

Cell = str | int | float | bool | None


class Kind(StrEnum):
    """What a cell is, as a query gives it."""

    TEXT = "text"
    TIME = "time"
    DECIMAL = "decimal"
    NUMBER = "number"
    INTEGER = "integer"
    FLAG = "flag"


_TYPES: Mapping[Kind, type] = {
    Kind.TEXT: str,
    Kind.TIME: str,
    Kind.DECIMAL: str,
    Kind.NUMBER: float,
    Kind.INTEGER: int,
    Kind.FLAG: bool,
}
_EXAMPLES: Mapping[Kind, Cell] = {
    Kind.TEXT: "BTC/USDT",
    Kind.TIME: "2026-11-23T20:05:03.828000000Z",
    Kind.DECIMAL: "0.0150000000",
    Kind.NUMBER: 60123.5,
    Kind.INTEGER: 17,
    Kind.FLAG: True,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of an answer. Times are UTC with nanoseconds, decimals are texts: nothing is rounded on the way."""

    name: str
    kind: Kind


def columns(**names: str) -> tuple[Column, ...]:
    """Columns by kind, names between spaces.

    >>> columns(time="ts", text="venue symbol", number="price")[0]
    Column(name='ts', kind=<Kind.TIME: 'time'>)
    """
    return tuple(Column(name, Kind(kind)) for kind, each in names.items() for name in each.split())


def model_of(title: str, table: str, of: Sequence[Column]) -> type[BaseModel]:
    """A row as OpenAPI shows it, with the words of the data catalogue."""
    fields: dict[str, tuple[object, object]] = {}
    for column in of:
        words = words_of(table, column.name, {})
        meaning = f"{words.meaning} ({words.unit})" if words and words.unit else (words.meaning if words else "")
        fields[column.name] = (
            _TYPES[column.kind] | None,
            Field(default=None, description=meaning, examples=[_EXAMPLES[column.kind]]),
        )
    model: type[BaseModel] = create_model(title, **fields)  # type: ignore[call-overload]
    return model


def written(rows: Sequence[Record], of: Sequence[Column]) -> Iterator[dict[str, Cell]]:
    """Rows of a query as they go out."""
    writers = [(column.name, _WRITERS[column.kind]) for column in of]
    for row in rows:
        yield {name: None if row[name] is None else write(row[name]) for name, write in writers}


def _time(value: object) -> Cell:
    return isoformat(as_int(value))


def _decimal(value: object) -> Cell:
    assert isinstance(value, Decimal), f"a decimal is expected, not {value!r}"
    return f"{value:f}"


def _number(value: object) -> Cell:
    assert isinstance(value, int | float), f"a number is expected, not {value!r}"
    return value if isfinite(value) else None


def _plain(value: object) -> Cell:
    assert isinstance(value, str | int | bool), f"a text, a whole number or a flag is expected, not {value!r}"
    return value


_WRITERS: Mapping[Kind, Callable[[object], Cell]] = {
    Kind.TEXT: _plain,
    Kind.TIME: _time,
    Kind.DECIMAL: _decimal,
    Kind.NUMBER: _number,
    Kind.INTEGER: _plain,
    Kind.FLAG: _plain,
}
