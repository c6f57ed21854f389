"""Bybit v5, spot and linear: raw frames and answers → market data. Pure; nothing but `MalformedFrame` is raised.

Ids of spot trades are numbers that grow and are shared by all symbols, so that one symbol's have holes; those of linear
ones are UUIDs. Fields: https://bybit-exchange.github.io/docs/v5/websocket/public/trade, …/public/orderbook,
https://bybit-exchange.github.io/docs/v5/market/recent-trade, …/market/kline, …/market/instrument
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Quote, Side, Source, Trade, TradeRun
from ingest.books import BookUpdate, Fit, Level
from ingest.venues.wire import ID_MAX, Count, Id, Millis, Names, Wire, Word, exact, read_together, sound

Category = Literal["spot", "linear"]

PLACES = 1_024
"""The venue puts at most so many trades into a message, so fills of one order are fewer."""
RESTARTED_ID = 1
"""The update id of the first book after the venue's service restarted: a snapshot, whatever it is called."""

CrossSeq = Annotated[int, msgspec.Meta(ge=0, le=ID_MAX // PLACES - 1)]
Taker = Literal["Buy", "Sell"]
SIDES: Mapping[Taker, Side] = {"Buy": "buy", "Sell": "sell"}
STREAM_NAMES = {"trade_id": "i", "side": "S", "price": "p", "amount": "v", "ts": "T"}
REST_NAMES = {"trade_id": "execId", "amount": "size", "ts": "time"}


class SpotDeal(msgspec.Struct, rename=STREAM_NAMES, gc=False):
    """A spot trade of the stream; `side` is the taker's."""

    trade_id: Id
    side: Taker
    price: float
    amount: float
    ts: Millis


class LinearDeal(msgspec.Struct, rename=STREAM_NAMES, gc=False):
    """A linear trade of the stream; all fills of one order have the same `seq`, the venue's cross sequence."""

    trade_id: Word
    side: Taker
    price: float
    amount: float
    ts: Millis
    seq: CrossSeq


class SpotRow(msgspec.Struct, rename=REST_NAMES, gc=False):
    """A spot trade of `recent-trade`."""

    trade_id: Id
    side: Taker
    price: float
    amount: float
    ts: Millis


class LinearRow(msgspec.Struct, rename=REST_NAMES, gc=False):
    """A linear trade of `recent-trade`; `place` is not the venue's, see `placed_rows`."""

    trade_id: Word
    side: Taker
    price: float
    amount: float
    ts: Millis
    seq: CrossSeq
    place: int = 0


class SpotDeals(msgspec.Struct, gc=False):
    """A message of `publicTrade`."""

    topic: str
    data: Annotated[list[SpotDeal], msgspec.Meta(min_length=1)]


class LinearDeals(msgspec.Struct, gc=False):
    """A message of `publicTrade`."""

    topic: str
    data: Annotated[list[LinearDeal], msgspec.Meta(min_length=1)]


class Ladder(msgspec.Struct, rename={"symbol": "s", "bids": "b", "asks": "a", "update_id": "u"}, gc=False):
    """Levels of a book, or what changed of them."""

    symbol: Word
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    update_id: Count


class Depth(msgspec.Struct, gc=False):
    """A message of `orderbook`; `cts` is when the engine made it, by the clock of trades, `ts` when it was sent."""

    topic: str
    type: Literal["snapshot", "delta"]
    ts: Millis
    data: Ladder
    cts: Millis | None = None


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A row of `kline`."""

    ts: Millis
    open: float
    high: float
    low: float
    close: float
    volume: float
    cost: float


class PriceFilter(msgspec.Struct, rename={"tick": "tickSize"}):
    """Which prices orders may have."""

    tick: Decimal


class LotFilter(
    msgspec.Struct,
    rename={"precision": "basePrecision", "step": "qtyStep", "amount": "minOrderAmt", "notional": "minNotionalValue"},
):
    """Which amounts orders may have: `precision` and `amount` for spot, `step` and `notional` for linear."""

    precision: Decimal | None = None
    step: Decimal | None = None
    amount: Decimal | None = None
    notional: Decimal | None = None


class Listing(msgspec.Struct):
    """A market of `instruments-info`."""

    symbol: Word
    base: Word = msgspec.field(name="baseCoin")
    quote: Word = msgspec.field(name="quoteCoin")
    prices: PriceFilter = msgspec.field(name="priceFilter")
    lots: LotFilter = msgspec.field(name="lotSizeFilter")
    status: str = ""


TRADE_FIELDS = {theirs: ours for ours, theirs in (STREAM_NAMES | {"symbol": "topic"}).items()}
TRADE_FIELDS |= {"execId": "trade_id", "size": "amount", "time": "ts"}
BOOK_FIELDS = {"s": "symbol", "b": "bids", "a": "asks", "u": "update_id", "cts": "ts", "topic": "symbol"}
LISTING_FIELDS = {"tickSize": "price_tick", "basePrecision": "amount_step", "qtyStep": "amount_step"}
LISTING_FIELDS |= {"minOrderAmt": "cost_min", "minNotionalValue": "cost_min", "baseCoin": "base", "quoteCoin": "quote"}
BAR_FIELDS = {str(place): name for place, name in enumerate(Candle.__struct_fields__)}

SPOT_DEALS, SPOT_RUN = Wire(SpotDeals, TRADE_FIELDS), Wire(list[SpotDeals], TRADE_FIELDS)
LINEAR_DEALS = Wire(LinearDeals, TRADE_FIELDS)
SPOT_ROW, LINEAR_ROW = Wire(SpotRow, TRADE_FIELDS), Wire(LinearRow, TRADE_FIELDS)
DEPTH = Wire(Depth, BOOK_FIELDS)
CANDLE = Wire(Candle, BAR_FIELDS)
LISTING = Wire(Listing, LISTING_FIELDS)


def symbol_of(topic: str, names: Names) -> str:
    """Our symbol of "publicTrade.BTCUSDT". Raises `MalformedFrame`."""
    return names.symbol(topic.rpartition(".")[2])


def decode_spot_trades(payload: object, names: Names, received_at_ns: int) -> list[Trade]:
    """A frame of `publicTrade`, spot."""
    message = SPOT_DEALS.read(payload)
    symbol = symbol_of(message.topic, names)
    return [_spot_trade(deal, names.venue, symbol, received_at_ns) for deal in message.data]


def decode_linear_trades(payload: object, names: Names, received_at_ns: int) -> list[Trade]:
    """A frame of `publicTrade`, linear."""
    message = LINEAR_DEALS.read(payload)
    symbol, places = symbol_of(message.topic, names), places_of(message.data)
    trades = [
        _linear_trade(deal, place, names.venue, symbol, received_at_ns)
        for deal, place in zip(message.data, places, strict=True)
    ]
    return sorted(trades, key=lambda trade: trade.seq)


def decode_spot_run(payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> list[TradeRun] | None:
    """Raw frames of `publicTrade`, spot, parsed in one go; None if any is anything else, and then each says what."""
    messages = read_together(SPOT_RUN, payloads)
    if messages is None:
        return None
    by_name: dict[str, list[tuple[SpotDeal, int]]] = {}
    for message, receipt_ns in zip(messages, receipts_ns, strict=True):
        name = message.topic.rpartition(".")[2]
        by_name.setdefault(name, []).extend([(deal, receipt_ns) for deal in message.data])
    if not by_name.keys() <= names.by_venue_symbol.keys():
        return None
    return [_run(deals, names.venue, names.symbol(name)) for name, deals in by_name.items()]


def _run(deals: Sequence[tuple[SpotDeal, int]], venue: str, symbol: str) -> TradeRun:
    return TradeRun(
        venue,
        symbol,
        "stream",
        [deal.trade_id for deal, _ in deals],
        [SIDES[deal.side] for deal, _ in deals],
        [deal.price for deal, _ in deals],
        [deal.amount for deal, _ in deals],
        [deal.ts * NANOS_PER_MILLI for deal, _ in deals],
        [receipt_ns for _, receipt_ns in deals],
    )


def spot_trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A row of `recent-trade`, spot."""
    return _spot_trade(SPOT_ROW.read(payload), venue, symbol, received_at_ns)


def linear_trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A row of `placed_rows`."""
    row = LINEAR_ROW.read(payload)
    return _linear_trade(row, row.place, venue, symbol, received_at_ns)


def _spot_trade(deal: SpotDeal | SpotRow, venue: str, symbol: str, received_at_ns: int) -> Trade:
    source: Source = "rest" if isinstance(deal, SpotRow) else "stream"
    seq, side, ts_ns = deal.trade_id, SIDES[deal.side], deal.ts * NANOS_PER_MILLI
    return Trade(venue, symbol, str(seq), seq, side, deal.price, deal.amount, ts_ns, received_at_ns, source)


def _linear_trade(deal: LinearDeal | LinearRow, place: int, venue: str, symbol: str, received_at_ns: int) -> Trade:
    source: Source = "rest" if isinstance(deal, LinearRow) else "stream"
    seq, side, ts_ns = deal.seq * PLACES + place, SIDES[deal.side], deal.ts * NANOS_PER_MILLI
    return Trade(venue, symbol, deal.trade_id, seq, side, deal.price, deal.amount, ts_ns, received_at_ns, source)


def places_of(deals: Sequence[LinearDeal | LinearRow]) -> list[int]:
    """Where each stands among the fills of its order: a buyer's walk up the book, a seller's down; ids settle ties.

    So stream and REST say the same of a trade, in whatever order they list it, and a minute's last trade is its last.
    """
    orders: defaultdict[tuple[int, Taker], list[int]] = defaultdict(list)
    for position, deal in enumerate(deals):
        orders[deal.seq, deal.side].append(position)
    places = [0] * len(deals)
    for (_, side), positions in orders.items():
        way = 1.0 if side == "Buy" else -1.0
        ranked = sorted(positions, key=lambda at: (way * deals[at].price, deals[at].trade_id))
        for place, position in enumerate(ranked):
            places[position] = min(place, PLACES - 1)
    return places


def placed_rows(rows: Sequence[object], rows_max: int) -> list[object]:
    """Rows of `recent-trade`, linear, each with its `place`; what cannot be read is left for others to refuse.

    In a full answer the oldest order may be cut in two, and its fills cannot be placed: they are left out.
    """
    sane: list[tuple[int, LinearRow]] = []
    for position, row in enumerate(rows):
        try:
            sane.append((position, LINEAR_ROW.read(row)))
        except MalformedFrame:
            continue
    placed: list[object] = list(rows)
    for (position, _), place in zip(sane, places_of([row for _, row in sane]), strict=True):
        row = rows[position]
        assert isinstance(row, dict)
        placed[position] = {**row, "place": place}
    if len(rows) < rows_max or not sane:
        return placed
    oldest = min(row.seq for _, row in sane)
    cut = {position for position, row in sane if row.seq == oldest}
    return [row for position, row in enumerate(placed) if position not in cut]


def decode_quotes(payload: object, names: Names, received_at_ns: int) -> list[Quote]:
    """A frame of `orderbook.1`, which is always whole; nothing while a side of the market is empty.

    Raises `MalformedFrame` for a change, which says nothing by itself.
    """
    message = DEPTH.read(payload)
    if message.type != "snapshot":
        raise MalformedFrame("type", "a change where the whole of one level is sent")
    book, symbol = message.data, names.symbol(message.data.symbol)
    if not book.bids or not book.asks:
        return []
    (bid, bid_amount), (ask, ask_amount) = sound(book.bids, "bids")[0], sound(book.asks, "asks")[0]
    ts_ns = (message.cts or message.ts) * NANOS_PER_MILLI
    quote = Quote(names.venue, symbol, book.update_id, bid, bid_amount, ask, ask_amount, ts_ns, received_at_ns, "venue")
    return [quote]


def decode_depth(payload: object, names: Names, received_at_ns: int) -> list[BookUpdate]:
    """A frame of `orderbook.200`, snapshot or change."""
    message = DEPTH.read(payload)
    book, symbol = message.data, names.symbol(message.data.symbol)
    update = BookUpdate(
        venue=names.venue,
        symbol=symbol,
        first_id=book.update_id,
        last_id=book.update_id,
        bids=sound(book.bids, "bids"),
        asks=sound(book.asks, "asks"),
        ts_ns=(message.cts or message.ts) * NANOS_PER_MILLI,
        received_at_ns=received_at_ns,
        ts_source="venue",
        snapshot=message.type == "snapshot" or book.update_id == RESTARTED_ID,
    )
    return [update]


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:  # noqa: ARG001 - the snapshot is on the same stream
    """Update ids are always in sequence: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook."""
    if update.last_id <= last_id:
        return Fit.OLD
    return Fit.NEXT if update.last_id == last_id + 1 else Fit.GAP


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of `kline`. How many trades there were, and what takers bought, is not told."""
    row = CANDLE.read(payload)
    prices = (row.open, row.high, row.low, row.close)
    return Bar(venue, symbol, row.ts * NANOS_PER_MILLI, *prices, row.volume, row.cost, None, None, received_at_ns)


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """A market of `instruments-info`. Amounts are in the base coin: a linear contract is one of it."""
    listing = LISTING.read(payload)
    lots = listing.lots
    linear = lots.step is not None
    return Instrument(
        venue,
        symbol,
        listing.symbol,
        listing.base,
        listing.quote,
        exact(listing.prices.tick, "price_tick"),
        exact(lots.step if lots.precision is None else lots.precision, "amount_step"),
        exact(next((least for least in (lots.notional, lots.amount) if least is not None), Decimal(0)), "cost_min"),
        *fees,
        active=listing.status == "Trading",
        contract="linear" if linear else None,
        contract_size=Decimal(1) if linear else None,
    )
