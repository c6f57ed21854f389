"""Entries as bytes, for disks and brokers: msgpack, with the types that it does not know. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from ares.model.market import ArchivedRun, ArchivedTrade, Bar, Book, Entry, Funding, Quote, Trade, TradeRun
from ares.model.row import Cell, Row, Storable, UtcNs


class Moment(msgspec.Struct, frozen=True, array_like=True, tag="ns"):
    """A `UtcNs`."""

    ns: int


class Exact(msgspec.Struct, frozen=True, array_like=True, tag="decimal"):
    """A `Decimal`, digit by digit."""

    text: str


class Lists(msgspec.Struct, frozen=True, array_like=True, tag="levels"):
    """A `Levels`."""

    lists: list[list[float]]


PlainCell = bool | int | float | str | Moment | Exact | Lists | None


class Plain(msgspec.Struct, frozen=True, array_like=True, tag="row"):
    """Any row that is not of the kinds a market brings all the time."""

    table: str
    ts_ns: int
    symbols: dict[str, str]
    columns: dict[str, PlainCell]


Kept = Trade | TradeRun | ArchivedTrade | ArchivedRun | Quote | Book | Bar | Funding | Plain
KINDS = (Trade, TradeRun, ArchivedTrade, ArchivedRun, Quote, Book, Bar, Funding)

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[Kept])


def encoded(entries: Sequence[Entry]) -> bytes:
    """The entries, in order."""
    return _encoder.encode([entry if isinstance(entry, KINDS) else _plain(entry) for entry in entries])


def decoded(payload: bytes) -> list[Entry]:
    """The same entries again. Raises `msgspec.DecodeError` for bytes that are none."""
    return [_row(kept) if isinstance(kept, Plain) else kept for kept in _decoder.decode(payload)]


def _plain(row: Storable) -> Plain:
    return Plain(row.table, row.ts_ns, dict(row.symbols), {name: _thin(cell) for name, cell in row.columns.items()})


def _row(plain: Plain) -> Row:
    return Row(plain.table, plain.ts_ns, plain.symbols, _full(plain.columns))


def _thin(cell: Cell) -> PlainCell:
    if isinstance(cell, UtcNs):
        return Moment(int(cell))
    if isinstance(cell, Decimal):
        return Exact(str(cell))
    if cell is None or isinstance(cell, bool | int | float | str):
        return cell
    return Lists([list(map(float, each)) for each in cell])


def _full(columns: Mapping[str, PlainCell]) -> dict[str, Cell]:
    full: dict[str, Cell] = {}
    for name, cell in columns.items():
        if isinstance(cell, Moment):
            full[name] = UtcNs(cell.ns)
        elif isinstance(cell, Exact):
            full[name] = Decimal(cell.text)
        else:
            full[name] = cell.lists if isinstance(cell, Lists) else cell
    return full
