"""ccxt's unified structures → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

https://docs.ccxt.com/#/README?id=public-trades, …?id=order-book-structure, …?id=ticker-structure
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Bar, Book, Instrument, Quote, Side, Source, Trade
from ingest.books import Level
from ingest.venues.wire import ID_MAX, Millis, Names, Wire, Word, exact, fee

TradeId = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Symbol = Annotated[str, msgspec.Meta(min_length=3, max_length=40)]
Precision = Literal["step", "places", "digits"]
"""What ccxt counts a market's precision in: the step itself, decimal places, or digits that count."""
SEQ_BITS = 62
"""Of the order of a trade whose id is no number."""


class UnifiedTrade(msgspec.Struct, gc=False):
    """A trade; `side` is the taker's. One without an id cannot be told from another, and is refused."""

    symbol: Symbol
    id: TradeId
    timestamp: Millis
    side: Side
    price: float
    amount: float


class UnifiedTop(msgspec.Struct, rename="camel", gc=False):
    """What of a ticker is best bid and ask; None where a side is empty or not told yet."""

    symbol: Symbol
    bid: float | None = None
    bid_volume: float | None = None
    ask: float | None = None
    ask_volume: float | None = None
    timestamp: Millis | None = None


class UnifiedBook(msgspec.Struct, gc=False):
    """The best levels of a book that ccxt keeps."""

    symbol: Symbol
    bids: Annotated[tuple[Level, ...], msgspec.Meta(min_length=1)]
    asks: Annotated[tuple[Level, ...], msgspec.Meta(min_length=1)]
    timestamp: Millis | None = None


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A row of `fetch_ohlcv`: what was paid and by whom is not told."""

    ts: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float


class Market(msgspec.Struct, rename="camel"):
    """What `load_markets` says of a pair."""

    base: Word
    quote: Word
    precision: Mapping[str, Decimal | None] = {}
    limits: Mapping[str, Mapping[str, Decimal | None]] = {}
    active: bool | None = None


FIELDS = {"id": "trade_id", "timestamp": "ts", "bidVolume": "bid_amount", "askVolume": "ask_amount"}
BAR_FIELDS = {str(place): name for place, name in enumerate(("ts", *Candle.__struct_fields__[1:]))}

TRADE, TOP, BOOK = Wire(UnifiedTrade, FIELDS), Wire(UnifiedTop, FIELDS), Wire(UnifiedBook, FIELDS)
CANDLE, MARKET = Wire(Candle, BAR_FIELDS), Wire(Market, {})


def decode_trade(payload: object, names: Names, received_at_ns: int) -> Trade:
    """A trade of the stream."""
    trade = TRADE.read(payload)
    return _trade(trade, names.venue, names.symbol(trade.symbol), received_at_ns, "stream")


def trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A trade of `fetch_trades`."""
    return _trade(TRADE.read(payload), venue, symbol, received_at_ns, "rest")


def _trade(trade: UnifiedTrade, venue: str, symbol: str, received_at_ns: int, source: Source) -> Trade:
    ts_ns, seq = trade.timestamp * NANOS_PER_MILLI, seq_of(trade.id)
    return Trade(venue, symbol, trade.id, seq, trade.side, trade.price, trade.amount, ts_ns, received_at_ns, source)


def seq_of(trade_id: str) -> int:
    """What orders trades of one millisecond: the id where it is a number, else the same number for the same id.

    >>> seq_of("61044952")
    61044952
    """
    if trade_id.isascii() and trade_id.isdecimal() and len(trade_id) < 20 and 0 < int(trade_id) <= ID_MAX:
        return int(trade_id)
    return int.from_bytes(hashlib.sha256(trade_id.encode("utf-8", "backslashreplace")).digest()[:8]) >> (64 - SEQ_BITS)


def decode_quote(payload: object, names: Names, received_at_ns: int) -> list[Quote]:
    """A best bid and ask; nothing while a side is empty. Venues seldom number them: our receipt does."""
    top = TOP.read(payload)
    symbol = names.symbol(top.symbol)
    if top.bid is None or top.ask is None:
        return []
    amounts = (0.0 if top.bid_volume is None else top.bid_volume, 0.0 if top.ask_volume is None else top.ask_volume)
    levels = (top.bid, amounts[0], top.ask, amounts[1])
    if top.timestamp is None:
        return [Quote(names.venue, symbol, received_at_ns, *levels, received_at_ns, received_at_ns, "receipt")]
    ts_ns = top.timestamp * NANOS_PER_MILLI
    return [Quote(names.venue, symbol, received_at_ns, *levels, ts_ns, received_at_ns, "venue")]


def decode_book(payload: object, names: Names, received_at_ns: int) -> Book:
    """The top of a book."""
    book = BOOK.read(payload)
    symbol, sides = names.symbol(book.symbol), (book.bids, book.asks)
    if book.timestamp is None:
        return Book(names.venue, symbol, received_at_ns, *sides, received_at_ns, received_at_ns, "receipt")
    ts_ns = book.timestamp * NANOS_PER_MILLI
    return Book(names.venue, symbol, received_at_ns, *sides, ts_ns, received_at_ns, "venue")


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of `fetch_ohlcv`."""
    row = CANDLE.read(payload)
    prices = (row.open, row.high, row.low, row.close)
    return Bar(venue, symbol, row.ts * NANOS_PER_MILLI, *prices, row.volume, None, None, None, received_at_ns)


def decode_instrument(market: Mapping[str, object], venue: str, symbol: str, precision: Precision) -> Instrument:
    """A pair of `load_markets`. By ccxt's symbol everything is asked for; a step that is not told is 0."""
    listing = MARKET.read(dict(market))
    cost_min = listing.limits.get("cost", {}).get("min")
    steps = [step_of(listing.precision.get(name), name, precision) for name in ("price", "amount")]
    fees = (fee(market.get("maker")), fee(market.get("taker")))
    least = Decimal(0) if cost_min is None else exact(cost_min, "cost_min")
    return Instrument(
        venue, symbol, symbol, listing.base, listing.quote, steps[0], steps[1], least, *fees,
        active=listing.active is not False,
    )  # fmt: skip


def step_of(value: Decimal | None, name: str, precision: Precision) -> Decimal:
    """A step from ccxt's precision; 0 where it is none, as of prices that go by digits."""
    if value is None or precision == "digits":
        return Decimal(0)
    return exact(value, name) if precision == "step" else Decimal(1).scaleb(-int(exact(value, name)))
