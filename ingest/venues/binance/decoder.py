"""Binance spot: raw frames and answers → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

Trades are *aggregate* trades everywhere (stream `aggTrade`, REST `aggTrades`), so that stream, history and replay share
one id space. Field names: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Book, Instrument, Quote, Source, Trade, TradeRun, TsSource
from ingest.books import BookUpdate, Fit
from ingest.venues.wire import Count, Id, Levels, Millis, Names, Wire, Word, exact, fee, read_together, sound

WRAPPED = b'{"stream"'

T = TypeVar("T")


class Combined(msgspec.Struct, Generic[T], gc=False):
    """How the venue wraps an event on an address of combined streams."""

    data: T


class AggTrade(msgspec.Struct, gc=False):
    """An aggregate trade of stream or REST; `m` = the buyer was the maker, so the taker sold."""

    a: Id
    p: float
    q: float
    T: Millis
    m: bool
    s: str = ""


class BookTicker(msgspec.Struct, gc=False):
    """Best bid and ask; only derivatives' frames carry times: the matching engine's `T`, and `E`, when it was sent."""

    s: str
    u: Id
    b: float
    B: float
    a: float
    A: float
    E: Millis | None = None
    T: Millis | None = None


class DepthUpdate(msgspec.Struct, gc=False):
    """What changed of a book; `pu` and the matching engine's time `T` only on derivatives."""

    s: str
    E: Millis
    U: Id
    u: Id
    b: Levels
    a: Levels
    pu: Id | None = None
    T: Millis | None = None


class DepthSnapshot(msgspec.Struct, rename="camel", gc=False):
    """REST `depth`; times only on derivatives."""

    last_update_id: Id
    bids: Levels
    asks: Levels
    event_time: Millis | None = msgspec.field(name="E", default=None)
    matched_at: Millis | None = msgspec.field(name="T", default=None)


class Top(msgspec.Struct, gc=False):
    """A top of book as `ccxt_feed` takes it from ccxt's maintained one."""

    s: str
    u: Id
    bids: Levels
    asks: Levels
    E: Millis | None = None


class Kline(msgspec.Struct, array_like=True, gc=False):
    """A row of REST `klines`."""

    ts: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float
    closes: int
    cost: float
    trades: Count
    buy_volume: float
    buy_cost: float


class Filter(msgspec.Struct, rename="camel"):
    """A rule that orders must keep; each type of filter has one of the four."""

    filter_type: str
    tick_size: Decimal | None = None
    step_size: Decimal | None = None
    min_notional: Decimal | None = None
    notional: Decimal | None = None


class Listing(msgspec.Struct, rename="camel"):
    """A symbol of `exchangeInfo`."""

    symbol: Word
    base_asset: Word
    quote_asset: Word
    filters: list[Filter]
    status: str = ""


TRADE_FIELDS = {"a": "trade_id", "p": "price", "q": "amount", "T": "ts", "m": "side", "s": "symbol"}
QUOTE_FIELDS = {"u": "update_id", "b": "bid", "B": "bid_amount", "a": "ask", "A": "ask_amount"}
QUOTE_FIELDS |= {"E": "ts", "T": "ts", "s": "symbol"}
BOOK_FIELDS = {"U": "update_id", "u": "update_id", "pu": "update_id", "lastUpdateId": "update_id"}
BOOK_FIELDS |= {"b": "bids", "a": "asks", "E": "ts", "T": "ts", "s": "symbol"}
BAR_FIELDS = {str(place): name for place, name in enumerate(Kline.__struct_fields__)}

TRADES = Wire(list[AggTrade], TRADE_FIELDS)
TRADE, WRAPPED_TRADE = Wire(AggTrade, TRADE_FIELDS), Wire(Combined[AggTrade], TRADE_FIELDS)
QUOTE, WRAPPED_QUOTE = Wire(BookTicker, QUOTE_FIELDS), Wire(Combined[BookTicker], QUOTE_FIELDS)
DEPTH, WRAPPED_DEPTH = Wire(DepthUpdate, BOOK_FIELDS), Wire(Combined[DepthUpdate], BOOK_FIELDS)
SNAPSHOT = Wire(DepthSnapshot, BOOK_FIELDS)
TOP = Wire(Top, BOOK_FIELDS)
BAR = Wire(Kline, BAR_FIELDS)
LISTING = Wire(Listing, {})


def is_wrapped(payload: object) -> bool:
    """Whether a frame came from an address of combined streams."""
    return isinstance(payload, bytes) and payload.startswith(WRAPPED)


def decode_trade(payload: object, names: Names, received_at_ns: int) -> Trade:
    """A frame of the stream `aggTrade`."""
    event = WRAPPED_TRADE.read(payload).data if is_wrapped(payload) else TRADE.read(payload)
    return Trade(
        names.venue,
        names.symbol(event.s),
        str(event.a),
        event.a,
        "sell" if event.m else "buy",
        event.p,
        event.q,
        event.T * NANOS_PER_MILLI,
        received_at_ns,
        "stream",
    )


def decode_run(payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> list[TradeRun] | None:
    """Raw frames of `aggTrade`, parsed in one go; None if any of them is anything else, and then each says what."""
    events = read_together(TRADES, payloads)
    if events is None:
        return None
    traded = {event.s for event in events}
    if not traded <= names.by_venue_symbol.keys():
        return None
    if len(traded) == 1:
        return [_run(events, receipts_ns, names.venue, names.symbol(events[0].s))]
    by_symbol: dict[str, tuple[list[AggTrade], list[int]]] = {}
    for event, receipt_ns in zip(events, receipts_ns, strict=True):
        some, receipts = by_symbol.setdefault(event.s, ([], []))
        some.append(event)
        receipts.append(receipt_ns)
    return [_run(*columns, names.venue, names.symbol(name)) for name, columns in by_symbol.items()]


def _run(events: Sequence[AggTrade], receipts_ns: Sequence[int], venue: str, symbol: str) -> TradeRun:
    return TradeRun(
        venue,
        symbol,
        "stream",
        [event.a for event in events],
        ["sell" if event.m else "buy" for event in events],
        [event.p for event in events],
        [event.q for event in events],
        [event.T * NANOS_PER_MILLI for event in events],
        list(receipts_ns),
    )


def trade_of(payload: object, venue: str, symbol: str, received_at_ns: int, source: Source) -> Trade:
    """A row of REST `aggTrades`, which does not name its symbol."""
    named = Names(venue, {"": symbol})
    return msgspec.structs.replace(decode_trade(payload, named, received_at_ns), source=source)


def decode_quote(payload: object, names: Names, received_at_ns: int) -> Quote:
    """A frame of the stream `bookTicker`; spot frames carry no time, so ours of receipt serves."""
    event = WRAPPED_QUOTE.read(payload).data if is_wrapped(payload) else QUOTE.read(payload)
    ts_ns, ts_source = moment(event.T or event.E, received_at_ns)
    symbol = names.symbol(event.s)
    return Quote(names.venue, symbol, event.u, event.b, event.B, event.a, event.A, ts_ns, received_at_ns, ts_source)


def decode_depth(payload: object, names: Names, received_at_ns: int) -> BookUpdate:
    """A frame of the stream `depth`."""
    event = WRAPPED_DEPTH.read(payload).data if is_wrapped(payload) else DEPTH.read(payload)
    if event.u < event.U:
        raise MalformedFrame("update_id", f"ends at {event.u}, before it begins at {event.U}")
    return BookUpdate(
        venue=names.venue,
        symbol=names.symbol(event.s),
        first_id=event.U,
        last_id=event.u,
        prev_id=event.pu,
        bids=sound(event.b, "bids"),
        asks=sound(event.a, "asks"),
        ts_ns=(event.T or event.E) * NANOS_PER_MILLI,
        received_at_ns=received_at_ns,
        ts_source="venue",
    )


def decode_snapshot(payload: object, venue: str, symbol: str, received_at_ns: int) -> BookUpdate:
    """An answer of REST `depth`, which does not name its symbol."""
    answer = SNAPSHOT.read(payload)
    ts_ns, ts_source = moment(answer.matched_at or answer.event_time, received_at_ns)
    return BookUpdate(
        venue=venue,
        symbol=symbol,
        first_id=answer.last_update_id,
        last_id=answer.last_update_id,
        bids=sound(answer.bids, "bids"),
        asks=sound(answer.asks, "asks"),
        ts_ns=ts_ns,
        received_at_ns=received_at_ns,
        ts_source=ts_source,
        snapshot=True,
    )


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:
    """How a change of a spot book lies to it. The first one after the snapshot may begin before its end.

    https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams#how-to-manage-a-local-order-book-correctly
    """
    if update.last_id <= last_id:
        return Fit.OLD
    begins_well = update.first_id <= last_id + 1 if first else update.first_id == last_id + 1
    return Fit.NEXT if begins_well else Fit.GAP


def decode_book(payload: object, names: Names, received_at_ns: int) -> Book:
    """A top of book: {s, u, E or None, bids, asks}, as `ccxt_feed` takes it from ccxt's maintained book."""
    top = TOP.read(payload)
    ts_ns, ts_source = moment(top.E, received_at_ns)
    symbol = names.symbol(top.s)
    return Book(names.venue, symbol, top.u, top.bids, top.asks, ts_ns, received_at_ns, ts_source)


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of REST `klines`: 12 values, times in ms, numbers as text."""
    row = BAR.read(payload)
    return Bar(
        venue,
        symbol,
        row.ts * NANOS_PER_MILLI,
        row.open,
        row.high,
        row.low,
        row.close,
        row.volume,
        row.cost,
        row.trades,
        row.buy_volume,
        received_at_ns,
    )


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[object, object]) -> Instrument:
    """A symbol of `exchangeInfo`; `fees` are maker's and taker's as ccxt knows them, None for the standard ones."""
    listing = LISTING.read(payload)
    filters = {each.filter_type: each for each in listing.filters}
    nothing = Filter("")
    minimum = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", nothing))
    return Instrument(
        venue,
        symbol,
        listing.symbol,
        listing.base_asset,
        listing.quote_asset,
        exact(filters.get("PRICE_FILTER", nothing).tick_size, "price_tick"),
        exact(filters.get("LOT_SIZE", nothing).step_size, "amount_step"),
        exact(minimum.notional if minimum.min_notional is None else minimum.min_notional, "cost_min"),
        fee(fees[0]),
        fee(fees[1]),
        active=listing.status == "TRADING",
    )


def moment(millis: int | None, received_at_ns: int) -> tuple[int, TsSource]:
    """Event time and whose clock it is: the venue's where it tells it, else ours of receipt."""
    if millis is None:
        return received_at_ns, "receipt"
    return millis * NANOS_PER_MILLI, "venue"
