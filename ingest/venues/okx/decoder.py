"""OKX spot: raw frames and answers → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

Trades are single trades everywhere (stream `trades-all`, REST `history-trades`), so that both share one id space; the
stream `trades` merges those of one taker. Field names: https://www.okx.com/docs-v5/en/#order-book-trading-market-data
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal
from zlib import crc32

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Bar, Instrument, Quote, Side, Source, Trade, TradeRun
from ingest.books import BookUpdate, Fit, Level, OrderBook, Text
from ingest.venues.wire import Count, Id, Levels, Millis, Names, Wire, Word, exact, read_together, sound

CHECKED_LEVELS = 25
"""So many levels of each side go into the venue's checksum."""

Digits = Annotated[str, msgspec.Meta(pattern=r"^\d{1,24}(\.\d{1,24})?$")]
Rung = tuple[Digits, Digits, str, Count]
"""Price, amount, a field that is always 0, and how many orders: a level as the venue writes it."""
Rungs = tuple[Rung, ...]


class Topic(msgspec.Struct, rename={"inst_id": "instId"}, gc=False):
    """Whose data it is."""

    channel: str
    inst_id: Word


class Deal(msgspec.Struct, rename={"trade_id": "tradeId"}, gc=False):
    """A trade of stream or REST; `side` is the taker's."""

    trade_id: Id
    px: float
    sz: float
    side: Side
    ts: Millis


class Top(msgspec.Struct, rename={"seq_id": "seqId"}, gc=False):
    """Best bid and ask."""

    asks: Annotated[Rungs, msgspec.Meta(min_length=1)]
    bids: Annotated[Rungs, msgspec.Meta(min_length=1)]
    ts: Millis
    seq_id: Count


class Depth(msgspec.Struct, rename={"seq_id": "seqId", "prev_seq_id": "prevSeqId"}, gc=False):
    """A snapshot of a book, or what changed of it; `prev_seq_id` of a snapshot is -1."""

    asks: Rungs
    bids: Rungs
    ts: Millis
    seq_id: Count
    prev_seq_id: int
    checksum: int = 0


class Deals(msgspec.Struct, gc=False):
    """A message of `trades-all`."""

    arg: Topic
    data: Annotated[list[Deal], msgspec.Meta(min_length=1)]


class Tops(msgspec.Struct, gc=False):
    """A message of `bbo-tbt`."""

    arg: Topic
    data: Annotated[list[Top], msgspec.Meta(min_length=1)]


class Depths(msgspec.Struct, gc=False):
    """A message of `books`."""

    arg: Topic
    action: Literal["snapshot", "update"]
    data: Annotated[list[Depth], msgspec.Meta(min_length=1)]


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A row of `history-candles`; `confirm` is "1" once the minute is over."""

    ts: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float
    volume_ccy: float
    cost: float
    confirm: Literal["0", "1"]


class Listing(msgspec.Struct):
    """A spot pair of `instruments`."""

    inst_id: Word = msgspec.field(name="instId")
    base: Word = msgspec.field(name="baseCcy")
    quote: Word = msgspec.field(name="quoteCcy")
    tick: Decimal = msgspec.field(name="tickSz")
    lot: Decimal = msgspec.field(name="lotSz")
    state: str = ""


TRADE_FIELDS = {"tradeId": "trade_id", "px": "price", "sz": "amount", "instId": "symbol"}
BOOK_FIELDS = {"seqId": "update_id", "prevSeqId": "update_id", "instId": "symbol"}
LISTING_FIELDS = {"tickSz": "price_tick", "lotSz": "amount_step", "baseCcy": "base", "quoteCcy": "quote"}
BAR_FIELDS = {str(place): name for place, name in enumerate(Candle.__struct_fields__)}

DEALS, RUN = Wire(Deals, TRADE_FIELDS), Wire(list[Deals], TRADE_FIELDS)
DEAL = Wire(Deal, TRADE_FIELDS)
TOPS = Wire(Tops, BOOK_FIELDS)
DEPTHS = Wire(Depths, BOOK_FIELDS)
CANDLE = Wire(Candle, BAR_FIELDS)
LISTING = Wire(Listing, LISTING_FIELDS)


def decode_trades(payload: object, names: Names, received_at_ns: int) -> list[Trade]:
    """A frame of `trades-all`."""
    message = DEALS.read(payload)
    symbol = names.symbol(message.arg.inst_id)
    return [_trade(deal, names.venue, symbol, received_at_ns, "stream") for deal in message.data]


def decode_run(payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> list[TradeRun] | None:
    """Raw frames of `trades-all`, parsed in one go; None if any is anything else, and then each says what."""
    messages = read_together(RUN, payloads)
    if messages is None or not {m.arg.inst_id for m in messages} <= names.by_venue_symbol.keys():
        return None
    by_name: dict[str, list[tuple[Deal, int]]] = {}
    for message, receipt_ns in zip(messages, receipts_ns, strict=True):
        by_name.setdefault(message.arg.inst_id, []).extend([(deal, receipt_ns) for deal in message.data])
    return [_run(deals, names.venue, names.symbol(name)) for name, deals in by_name.items()]


def _run(deals: Sequence[tuple[Deal, int]], venue: str, symbol: str) -> TradeRun:
    return TradeRun(
        venue,
        symbol,
        "stream",
        [deal.trade_id for deal, _ in deals],
        [deal.side for deal, _ in deals],
        [deal.px for deal, _ in deals],
        [deal.sz for deal, _ in deals],
        [deal.ts * NANOS_PER_MILLI for deal, _ in deals],
        [receipt_ns for _, receipt_ns in deals],
    )


def trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A row of REST `history-trades`."""
    return _trade(DEAL.read(payload), venue, symbol, received_at_ns, "rest")


def _trade(deal: Deal, venue: str, symbol: str, received_at_ns: int, source: Source) -> Trade:
    ts_ns, seq = deal.ts * NANOS_PER_MILLI, deal.trade_id
    return Trade(venue, symbol, str(seq), seq, deal.side, deal.px, deal.sz, ts_ns, received_at_ns, source)


def decode_quotes(payload: object, names: Names, received_at_ns: int) -> list[Quote]:
    """A frame of `bbo-tbt`."""
    message = TOPS.read(payload)
    symbol = names.symbol(message.arg.inst_id)
    quotes: list[Quote] = []
    for top in message.data:
        (bid, bid_amount), (ask, ask_amount) = levels_of(top.bids, "bids")[0], levels_of(top.asks, "asks")[0]
        ts_ns = top.ts * NANOS_PER_MILLI
        quote = Quote(names.venue, symbol, top.seq_id, bid, bid_amount, ask, ask_amount, ts_ns, received_at_ns, "venue")
        quotes.append(quote)
    return quotes


def decode_depths(payload: object, names: Names, received_at_ns: int) -> list[BookUpdate]:
    """A frame of `books`, snapshot or change."""
    message = DEPTHS.read(payload)
    symbol = names.symbol(message.arg.inst_id)
    return [
        BookUpdate(
            venue=names.venue,
            symbol=symbol,
            first_id=depth.seq_id,
            last_id=depth.seq_id,
            prev_id=depth.prev_seq_id,
            bids=levels_of(depth.bids, "bids"),
            asks=levels_of(depth.asks, "asks"),
            ts_ns=depth.ts * NANOS_PER_MILLI,
            received_at_ns=received_at_ns,
            ts_source="venue",
            snapshot=message.action == "snapshot",
            checksum=depth.checksum or None,
            bid_texts=texts_of(depth.bids),
            ask_texts=texts_of(depth.asks),
        )
        for depth in message.data
    ]


def levels_of(rungs: Rungs, side: str) -> Levels:
    """Levels as numbers. Raises `MalformedFrame` for what no book may hold."""
    levels: tuple[Level, ...] = tuple([(float(price), float(amount)) for price, amount, _, _ in rungs])
    return sound(levels, side)


def texts_of(rungs: Rungs) -> tuple[Text, ...]:
    """Levels in the venue's own digits."""
    return tuple([(price, amount) for price, amount, _, _ in rungs])


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:  # noqa: ARG001 - the snapshot is on the same stream
    """A change names the one before it. After maintenance ids begin anew, and the chain still holds.

    https://www.okx.com/docs-v5/en/#order-book-trading-market-data-ws-order-book-channel
    """
    if update.prev_id == last_id:
        return Fit.NEXT
    return Fit.OLD if update.last_id <= last_id else Fit.GAP


def checksum(book: OrderBook) -> int:
    """The venue's checksum: CRC-32, signed, over the best 25 levels in its own digits, bid and ask in turns."""
    bids, asks = book.best_texts(CHECKED_LEVELS)
    parts: list[str] = []
    for place in range(CHECKED_LEVELS):
        parts += [":".join(side[place]) for side in (bids, asks) if place < len(side)]
    value = crc32(":".join(parts).encode())
    return value - 2**32 if value >= 2**31 else value


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int, *, contracts: bool = False) -> Bar | None:
    """A row of `history-candles`, None while its minute is open. Trades and what takers bought are not told.

    `contracts`: the venue's first volume counts contracts, its second the base currency (of spot, the quote).
    """
    row = CANDLE.read(payload)
    if row.confirm == "0":
        return None
    prices = (row.open, row.high, row.low, row.close)
    volume = row.volume_ccy if contracts else row.volume
    return Bar(venue, symbol, row.ts * NANOS_PER_MILLI, *prices, volume, row.cost, None, None, received_at_ns)


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """A pair of `instruments`. The venue has a least amount, not a least cost."""
    listing = LISTING.read(payload)
    return Instrument(
        venue,
        symbol,
        listing.inst_id,
        listing.base,
        listing.quote,
        exact(listing.tick, "price_tick"),
        exact(listing.lot, "amount_step"),
        Decimal(0),
        *fees,
        active=listing.state == "live",
    )
