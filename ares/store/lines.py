"""Rows as QuestDB's line protocol: what the writer posts and what a spool keeps.

QuestDB's own client writes the lines. For what comes by the hundred thousand, trades and quotes, its price is four
fifths of a collector's work, so these two have a template each; a test holds both to the client's very bytes.
Protocol 3: https://questdb.com/docs/ingestion/ilp/advanced-settings/#protocol-version
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from typing import Protocol, cast

import numpy as np
from questdb import Sender, TimestampNanos

from ares.model.market import ArchivedRun, ArchivedTrade, Entry, Quote, Side, Trade, TradeRun, size
from ares.model.row import Cell, Row, Storable, UtcNs

IlpValue = bool | int | float | str | Decimal | TimestampNanos | np.ndarray[tuple[int, ...], np.dtype[np.float64]]

NOWHERE = "http::addr=127.0.0.1:9;auto_flush=off;protocol_version=3;"
"""The client makes its buffers only through a sender; this one is never flushed, so it never connects."""
PREFIXES_MAX = 10_000
BLOCK_ROWS = 4_000
"""Some three quarters of a megabyte: one is on its way, and read by the server, while the next is written."""
DOUBLES_2 = struct.Struct("<d10sd").pack
DOUBLE = struct.Struct("<d").pack
AMOUNT = b",amount==\x10"
SIDES: tuple[Side, ...] = ("buy", "sell")


class Buffer(Protocol):
    """What we use of the client's buffer."""

    def row(
        self, table: str, /, *, symbols: dict[str, str], columns: dict[str, IlpValue], at: TimestampNanos
    ) -> object: ...
    def clear(self) -> None: ...
    def __bytes__(self) -> bytes: ...


class Maker(Protocol):
    """What we use of the client's sender."""

    def establish(self) -> None: ...
    def new_buffer(self) -> Buffer: ...


@cache
def maker() -> Maker:
    """The process's one sender: the client takes offence at many."""
    sender = cast("Maker", Sender.from_conf(NOWHERE))
    sender.establish()
    return sender


class Lines:
    """Encodes rows; not to be shared between threads.

    >>> Lines().of([trade, quote, row])
    b'trades,venue=binance,…'
    """

    def __init__(self) -> None:
        self._buffer = maker().new_buffer()
        self._prefixes: dict[tuple[str, ...], bytes] = {}

    def of(self, entries: Sequence[Entry]) -> bytes:
        """The rows as lines, in order. Raises what the client raises for a row that no line can hold."""
        parts: list[bytes] = []
        others: list[Storable] = []
        for entry in entries:
            template = TEMPLATES.get(type(entry))
            if template is None:
                others.append(cast("Storable", entry))
                continue
            if others:
                parts.append(self._by_client(others))
                others = []
            parts.append(template(self, entry))
        if others:
            parts.append(self._by_client(others))
        return b"".join(parts)

    def blocks(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        """The same lines in blocks of some `BLOCK_ROWS` rows. Raises what `of` raises, where it comes to that row."""
        some: list[Entry] = []
        rows = 0
        for part in (part for entry in entries for part in _parts(entry)):
            some.append(part)
            rows += size(part)
            if rows >= BLOCK_ROWS:
                yield self.of(some)
                some, rows = [], 0
        if some:
            yield self.of(some)

    def _by_client(self, rows: Iterable[Storable]) -> bytes:
        self._buffer.clear()
        for row in rows:
            at = TimestampNanos(row.ts_ns)
            self._buffer.row(row.table, symbols=dict(row.symbols), columns=_columns(row), at=at)
        return bytes(self._buffer)

    def _prefix(self, key: tuple[str, ...], table: str, symbols: Mapping[str, str]) -> bytes:
        """Table and symbols of a row, up to the first column, as the client writes them."""
        prefix, _, _ = self._by_client([Row(table, 0, symbols, {"x": 1})]).rpartition(b"x=1i")
        if len(self._prefixes) >= PREFIXES_MAX:
            self._prefixes.clear()
        self._prefixes[key] = prefix
        return prefix

    def trade(self, trade: Trade) -> bytes:
        """A line of `trades` or of its archive."""
        key = (trade.table, trade.venue, trade.symbol, trade.side, trade.source)
        prefix = self._prefixes.get(key) or self._prefix(key, trade.table, trade.symbols)
        return b'%btrade_id="%b",seq=%di,price==\x10%b,received_at=%dn %dn\n' % (
            prefix,
            _text(trade.trade_id),
            trade.seq,
            DOUBLES_2(trade.price, AMOUNT, trade.amount),
            trade.received_at_ns,
            trade.ts_ns,
        )

    def run(self, run: TradeRun) -> bytes:
        """Lines of `trades` or of its archive."""
        columns = (run.sides, run.seqs, run.prices, run.amounts, run.times_ns)
        receipts = run.receipts_ns
        if receipts and receipts.count(receipts[0]) == len(receipts):
            # Of one read, as most are in a burst: then its digits, a fifth of the work, are written once.
            line_of = self._formats(run, b",received_at=%dn %%dn\n" % receipts[0])
            return b"".join(
                [
                    line_of[side] % (seq, seq, DOUBLES_2(price, AMOUNT, amount), ts_ns)
                    for side, seq, price, amount, ts_ns in zip(*columns, strict=True)
                ]
            )
        line_of = self._formats(run, b",received_at=%dn %dn\n")
        return b"".join(
            [
                line_of[side] % (seq, seq, DOUBLES_2(price, AMOUNT, amount), received_at_ns, ts_ns)
                for side, seq, price, amount, ts_ns, received_at_ns in zip(*columns, receipts, strict=True)
            ]
        )

    def _formats(self, run: TradeRun, tail: bytes) -> Mapping[Side, bytes]:
        """What a line of each side looks like, up to its numbers."""
        formats: dict[Side, bytes] = {}
        for side in SIDES:
            key = (run.table, run.venue, run.symbol, side, run.source)
            symbols = {"venue": run.venue, "symbol": run.symbol, "side": side, "source": run.source}
            prefix = self._prefixes.get(key) or self._prefix(key, run.table, symbols)
            formats[side] = prefix.replace(b"%", b"%%") + b'trade_id="%d",seq=%di,price==\x10%b' + tail
        return formats

    def quote(self, quote: Quote) -> bytes:
        """A line of `quotes`."""
        key = (quote.venue, quote.symbol, quote.ts_source)
        prefix = self._prefixes.get(key) or self._prefix(key, quote.table, quote.symbols)
        return (
            b"%bupdate_id=%di,bid==\x10%b,bid_amount==\x10%b,ask==\x10%b,ask_amount==\x10%b,received_at=%dn %dn\n"
            % (
                prefix,
                quote.update_id,
                DOUBLE(quote.bid),
                DOUBLE(quote.bid_amount),
                DOUBLE(quote.ask),
                DOUBLE(quote.ask_amount),
                quote.received_at_ns,
                quote.ts_ns,
            )
        )


TEMPLATES = cast(
    "dict[type[Entry], Callable[[Lines, Entry], bytes]]",
    {
        Trade: Lines.trade,
        TradeRun: Lines.run,
        ArchivedTrade: Lines.trade,
        ArchivedRun: Lines.run,
        Quote: Lines.quote,
    },
)


def _parts(entry: Entry) -> Sequence[Entry]:
    if not isinstance(entry, TradeRun) or len(entry) <= BLOCK_ROWS:
        return (entry,)
    return [entry.part(slice(start, start + BLOCK_ROWS)) for start in range(0, len(entry), BLOCK_ROWS)]


def _text(value: str) -> bytes:
    """A string as it stands between double quotes."""
    if value.isalnum():
        return value.encode()
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\\n").replace("\r", "\\\r")
    return escaped.encode()


def _columns(row: Storable) -> dict[str, IlpValue]:
    return {name: _value(cell) for name, cell in row.columns.items() if cell is not None}


def _value(cell: Cell) -> IlpValue:
    assert cell is not None
    if isinstance(cell, UtcNs):
        return TimestampNanos(cell)
    if isinstance(cell, bool | int | float | str | Decimal):
        return cell
    return np.asarray(cell, dtype=np.float64)
