"""Kraken spot: raw frames and answers → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

WebSocket version 2 (https://docs.kraken.com/exchange/api-reference/spot-websocket-v2/book) and REST
(https://docs.kraken.com/api-reference/market-data/get-recent-trades) count the same single trades.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Literal
from zlib import crc32

import msgspec

from ares.clock import NANOS_PER_MILLI, NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Side, Trade, TradeRun
from ingest.books import BookUpdate, Fit, OrderBook, Text
from ingest.venues.wire import (
    ID_MAX,
    Count,
    Id,
    Levels,
    Moment,
    Names,
    Wire,
    Word,
    exact,
    nanos_of,
    runs_together,
    sound,
)

DEPTH = 100
"""Levels of a side that we subscribe to; of others the venue tells nothing."""
CHECKED_LEVELS = 10
"""So many levels of each side go into the venue's checksum, whatever the depth."""
PLACES_MAX = 24
RENAMED: Mapping[str, str] = MappingProxyType({"XBT": "BTC", "XDG": "DOGE"})
"""REST's words for two currencies, and those of WebSocket version 2."""
LEGACY: Mapping[str, str] = MappingProxyType({ours: theirs for theirs, ours in RENAMED.items()})
SIDES: Mapping[Literal["b", "s"], Side] = MappingProxyType({"b": "buy", "s": "sell"})

Crc = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Places = Annotated[int, msgspec.Meta(ge=0, le=PLACES_MAX)]


class Deal(msgspec.Struct, gc=False):
    """A trade of the stream; `side` is the taker's."""

    symbol: Word
    side: Side
    price: float
    qty: float
    trade_id: Id
    timestamp: Moment


class Deals(msgspec.Struct, gc=False):
    """A message of `trade`."""

    channel: Literal["trade"]
    data: list[Deal]


class Rung(msgspec.Struct, gc=False):
    """A level, in the digits in which it was sent."""

    price: Decimal
    qty: Decimal


class Depth(msgspec.Struct, gc=False):
    """A snapshot of a book, or what changed of it, and the checksum of what it then is."""

    symbol: Word
    bids: list[Rung]
    asks: list[Rung]
    checksum: Crc
    timestamp: Moment | msgspec.UnsetType = msgspec.UNSET


class Depths(msgspec.Struct, gc=False):
    """A message of `book`."""

    channel: Literal["book"]
    type: Literal["snapshot", "update"]
    data: Annotated[list[Depth], msgspec.Meta(min_length=1)]


class Notice(msgspec.Struct, gc=False):
    """What says nothing of the market."""

    channel: Literal["heartbeat", "status"]


class ListedDeal(msgspec.Struct, array_like=True, gc=False):
    """A row of REST `Trades`; its time is a number of seconds, printed to 100 ns."""

    price: float
    amount: float
    time: Decimal
    side: Literal["b", "s"]
    kind: str
    misc: str
    trade_id: Id


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A row of REST `OHLC`. The average price is rounded, so that what was paid is not told."""

    ts_s: int
    open: float
    high: float
    low: float
    close: float
    average: float
    volume: float
    trades: Count


class Listing(msgspec.Struct):
    """A pair of REST `AssetPairs`."""

    name: Word = msgspec.field(name="wsname")
    pair_decimals: Places
    lot_decimals: Places
    tick: Decimal | None = msgspec.field(name="tick_size", default=None)
    cost_min: Decimal = msgspec.field(name="costmin", default=Decimal(0))
    status: str = "online"


TRADE_FIELDS = {"qty": "amount", "timestamp": "ts"}
BOOK_FIELDS = {"qty": "amount", "timestamp": "ts"}
ROW_FIELDS = {"0": "price", "1": "amount", "2": "ts", "3": "side", "6": "trade_id"}
LISTING_FIELDS = {"tick_size": "price_tick", "pair_decimals": "price_tick", "lot_decimals": "amount_step"}
LISTING_FIELDS |= {"wsname": "venue_symbol", "costmin": "cost_min"}
BAR_FIELDS = {str(place): name for place, name in enumerate(("ts", *Candle.__struct_fields__[1:]))}

DEALS, RUN = Wire(Deals, TRADE_FIELDS), Wire(list[Deals], TRADE_FIELDS)
DEPTHS = Wire(Depths, BOOK_FIELDS)
NOTICE = Wire(Notice, {})
ROW = Wire(ListedDeal, ROW_FIELDS)
CANDLE = Wire(Candle, BAR_FIELDS)
LISTING = Wire(Listing, LISTING_FIELDS)


def is_notice(payload: object) -> bool:
    """Whether a frame is a heartbeat or tells the state of the venue."""
    try:
        NOTICE.read(payload)
    except MalformedFrame:
        return False
    return True


def decode_trades(payload: object, names: Names, received_at_ns: int) -> list[Trade]:
    """A frame of `trade`, oldest trade first."""
    return _trades_of(DEALS.read(payload), names, received_at_ns)


def decode_run(payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> list[TradeRun] | None:
    """Raw frames of `trade`, parsed in one go; None if any is anything else, and then each says what."""
    return runs_together(RUN, payloads, receipts_ns, lambda message, at_ns: _trades_of(message, names, at_ns))


def _trades_of(message: Deals, names: Names, received_at_ns: int) -> list[Trade]:
    trades: list[Trade] = []
    for deal in sorted(message.data, key=lambda deal: deal.trade_id):
        symbol, seq = names.symbol(deal.symbol), deal.trade_id
        stamps = nanos_of(deal.timestamp, NANOS_PER_MILLI), received_at_ns
        trades.append(Trade(names.venue, symbol, str(seq), seq, deal.side, deal.price, deal.qty, *stamps, "stream"))
    return trades


def trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A row of REST `Trades`. Times are cut to ms: this one went through a float, and is good for 0.1 µs only."""
    row = ROW.read(payload)
    seq, ts_ms = row.trade_id, _millis(row.time)
    stamps = ts_ms * NANOS_PER_MILLI, received_at_ns
    return Trade(venue, symbol, str(seq), seq, SIDES[row.side], row.price, row.amount, *stamps, "rest")


def _millis(seconds: Decimal) -> int:
    if not seconds.is_finite() or not 1 <= seconds < ID_MAX // NANOS_PER_SECOND:
        raise MalformedFrame("ts", "not a moment")
    return int(seconds * 1_000)


def decode_depths(payload: object, names: Names, received_at_ns: int) -> list[BookUpdate]:
    """A frame of `book`, snapshot or change. The venue does not count them; their number is the venue's time."""
    message = DEPTHS.read(payload)
    updates: list[BookUpdate] = []
    for depth in message.data:
        known = depth.timestamp is not msgspec.UNSET
        ts_ns = nanos_of(depth.timestamp) if depth.timestamp is not msgspec.UNSET else received_at_ns
        (bids, bid_texts), (asks, ask_texts) = levels_of(depth.bids, "bids"), levels_of(depth.asks, "asks")
        update = BookUpdate(
            venue=names.venue,
            symbol=names.symbol(depth.symbol),
            first_id=ts_ns,
            last_id=ts_ns,
            bids=bids,
            asks=asks,
            ts_ns=ts_ns,
            received_at_ns=received_at_ns,
            ts_source="venue" if known else "receipt",
            snapshot=message.type == "snapshot",
            in_stream=message.type == "snapshot",
            depth=DEPTH,
            checksum=depth.checksum,
            bid_texts=bid_texts,
            ask_texts=ask_texts,
        )
        updates.append(update)
    return updates


def levels_of(rungs: Sequence[Rung], side: str) -> tuple[Levels, tuple[Text, ...]]:
    """Levels as numbers and in the venue's digits. Raises `MalformedFrame` for what no book may hold."""
    levels = sound(tuple([(float(rung.price), float(rung.qty)) for rung in rungs]), side)
    for number in [number for rung in rungs for number in (rung.price, rung.qty)]:
        if abs(number.adjusted()) > PLACES_MAX or abs(int(number.as_tuple().exponent)) > PLACES_MAX:
            raise MalformedFrame(side, "more places than a number of this market has")
    return levels, tuple([(f"{rung.price:f}", f"{rung.qty:f}") for rung in rungs])


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:  # noqa: ARG001 - nothing is counted
    """Every change is the next one: whether one was lost is for the checksum to say, which each of them has."""
    return Fit.NEXT


def checksum(book: OrderBook) -> int:
    """The venue's checksum: CRC-32 over its own digits, without points and leading zeros, asks first, best first.

    https://docs.kraken.com/exchange/guides/websockets/book-checksum-v2
    """
    bids, asks = book.best_texts(CHECKED_LEVELS)
    return crc32("".join([text.replace(".", "").lstrip("0") for rung in (*asks, *bids) for text in rung]).encode())


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of REST `OHLC`. A minute without trades is listed with the price before."""
    row = CANDLE.read(payload)
    prices = (row.open, row.high, row.low, row.close)
    ts_ns = _millis(Decimal(row.ts_s)) * NANOS_PER_MILLI
    return Bar(venue, symbol, ts_ns, *prices, row.volume, None, row.trades, None, received_at_ns)


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """A pair of REST `AssetPairs`, by the name that it has on WebSocket version 2."""
    listing = LISTING.read(payload)
    currencies = [RENAMED.get(part, part) for part in listing.name.split("/")]
    if len(currencies) != 2:
        raise MalformedFrame("venue_symbol", "not two currencies")
    tick = listing.tick if listing.tick is not None else Decimal(1).scaleb(-listing.pair_decimals)
    return Instrument(
        venue,
        symbol,
        "/".join(currencies),
        currencies[0],
        currencies[1],
        exact(tick, "price_tick"),
        Decimal(1).scaleb(-listing.lot_decimals),
        exact(listing.cost_min, "cost_min"),
        *fees,
        active=listing.status == "online",
    )


def rest_pair(venue_symbol: str) -> str:
    """REST's name of a pair of WebSocket version 2: "BTC/USD" → "XBTUSD"."""
    return "".join([LEGACY.get(part, part) for part in venue_symbol.split("/")])
