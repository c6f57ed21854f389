"""Coinbase spot: raw frames and answers → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

The stream is Advanced Trade's (https://docs.cdp.coinbase.com/coinbase-app/advanced-trade-apis/websocket/websocket-channels),
REST is the Exchange's, which lists trades by id
(https://docs.cdp.coinbase.com/api-reference/exchange-api/rest-api/products/get-product-trades).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

import msgspec

from ares.clock import NANOS_PER_MICRO, NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ares.model.market import Bar, Instrument, Side, Source, Trade, TradeRun
from ingest.books import BookUpdate, Fit, Level
from ingest.venues.wire import ID_MAX, Count, Id, Moment, Names, Wire, Word, exact, nanos_of, runs_together, sound

MakerSide = Literal["BUY", "SELL", "buy", "sell"]
TAKER: Mapping[MakerSide, Side] = MappingProxyType({"BUY": "sell", "SELL": "buy", "buy": "sell", "sell": "buy"})
"""The venue tells the side of the order that lay in the book; we tell who came and took it."""


class Deal(msgspec.Struct, gc=False):
    """A trade of stream or REST; `side` is the maker's."""

    trade_id: Id
    price: float
    size: float
    time: Moment
    side: MakerSide


class ListedDeal(Deal, gc=False):
    """A trade of the stream, which names its product."""

    product_id: Word


class DealEvent(msgspec.Struct, gc=False):
    """An event of `market_trades`; those of heartbeats and answers have no trades."""

    trades: list[ListedDeal] | msgspec.UnsetType = msgspec.UNSET


class Change(msgspec.Struct, gc=False):
    """The new quantity at a price of a book."""

    side: Literal["bid", "offer"]
    event_time: Moment
    price_level: float
    new_quantity: float


class DepthEvent(msgspec.Struct, gc=False):
    """An event of `level2`; those of heartbeats and answers have no updates."""

    type: Literal["snapshot", "update", ""] = ""
    product_id: str = ""
    updates: list[Change] | msgspec.UnsetType = msgspec.UNSET


class Deals(msgspec.Struct, gc=False):
    """A message on a connection that is subscribed to trades."""

    channel: Literal["market_trades", "heartbeats", "subscriptions"]
    sequence_num: Count
    events: list[DealEvent]


class Depths(msgspec.Struct, gc=False):
    """A message on a connection that is subscribed to books; its channel is not called what was asked for."""

    channel: Literal["l2_data", "heartbeats", "subscriptions"]
    timestamp: Moment
    sequence_num: Count
    events: list[DepthEvent]


class Candle(msgspec.Struct, array_like=True, gc=False):
    """A row of `candles`: what was paid is not told."""

    ts_s: int
    low: float
    high: float
    open: float
    close: float
    volume: float


class Listing(msgspec.Struct):
    """A product of the Exchange."""

    id: Word
    base: Word = msgspec.field(name="base_currency")
    quote: Word = msgspec.field(name="quote_currency")
    tick: Decimal = msgspec.field(name="quote_increment")
    lot: Decimal = msgspec.field(name="base_increment")
    cost_min: Decimal = msgspec.field(name="min_market_funds", default=Decimal(0))
    status: str = ""
    trading_disabled: bool = False


TRADE_FIELDS = {"size": "amount", "time": "ts", "product_id": "symbol"}
BOOK_FIELDS = {
    "timestamp": "ts",
    "event_time": "ts",
    "product_id": "symbol",
    "price_level": "price",
    "new_quantity": "amount",
}
LISTING_FIELDS = {"quote_increment": "price_tick", "base_increment": "amount_step", "min_market_funds": "cost_min"}
BAR_FIELDS = {str(place): name for place, name in enumerate(("ts", *Candle.__struct_fields__[1:]))}

DEALS, RUN = Wire(Deals, TRADE_FIELDS), Wire(list[Deals], TRADE_FIELDS)
DEAL = Wire(Deal, TRADE_FIELDS)
DEPTHS = Wire(Depths, BOOK_FIELDS)
CANDLE = Wire(Candle, BAR_FIELDS)
LISTING = Wire(Listing, LISTING_FIELDS)


def decode_trades(payload: object, names: Names, received_at_ns: int) -> list[Trade]:
    """A frame of `market_trades`, oldest trade first: the venue tells the newest first."""
    return _trades_of(DEALS.read(payload), names, received_at_ns)


def decode_run(payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> list[TradeRun] | None:
    """Raw frames of `market_trades`, parsed in one go; None if any is anything else, and then each says what."""
    return runs_together(RUN, payloads, receipts_ns, lambda message, at_ns: _trades_of(message, names, at_ns))


def _trades_of(message: Deals, names: Names, received_at_ns: int) -> list[Trade]:
    if message.channel != "market_trades":
        return []
    deals: list[ListedDeal] = []
    for event in message.events:
        if event.trades is msgspec.UNSET:
            raise MalformedFrame("trades", "missing")
        deals += event.trades
    deals.sort(key=lambda deal: deal.trade_id)
    return [_trade(deal, names.venue, names.symbol(deal.product_id), received_at_ns, "stream") for deal in deals]


def trade_of(payload: object, venue: str, symbol: str, received_at_ns: int) -> Trade:
    """A row of REST `trades`."""
    return _trade(DEAL.read(payload), venue, symbol, received_at_ns, "rest")


def _trade(deal: Deal, venue: str, symbol: str, received_at_ns: int, source: Source) -> Trade:
    ts_ns, seq = nanos_of(deal.time, NANOS_PER_MICRO), deal.trade_id
    return Trade(venue, symbol, str(seq), seq, TAKER[deal.side], deal.price, deal.size, ts_ns, received_at_ns, source)


def decode_depths(payload: object, names: Names, received_at_ns: int) -> list[BookUpdate]:
    """A frame of `level2`, snapshot or change. Its number is when the venue sent it, which grows across connections."""
    message = DEPTHS.read(payload)
    if message.channel != "l2_data":
        return []
    sent_ns = nanos_of(message.timestamp)
    updates: list[BookUpdate] = []
    for event in message.events:
        if event.updates is msgspec.UNSET or not event.type:
            raise MalformedFrame("updates", "missing")
        update = BookUpdate(
            venue=names.venue,
            symbol=names.symbol(event.product_id),
            first_id=sent_ns,
            last_id=sent_ns,
            bids=sound(_levels(event.updates, "bid"), "bids"),
            asks=sound(_levels(event.updates, "offer"), "asks"),
            ts_ns=max(
                [nanos_of(moment) for moment in {change.event_time for change in event.updates}], default=sent_ns
            ),
            received_at_ns=received_at_ns,
            ts_source="venue",
            snapshot=event.type == "snapshot",
            in_stream=event.type == "snapshot",
        )
        updates.append(update)
    return updates


def _levels(changes: Sequence[Change], side: str) -> tuple[Level, ...]:
    return tuple([(change.price_level, change.new_quantity) for change in changes if change.side == side])


def follows(last_id: int, update: BookUpdate, first: bool) -> Fit:  # noqa: ARG001 - the connection's frames are counted
    """Every change is the next one: a frame that was lost ends the connection, whoever it was for."""
    return Fit.NEXT


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of `candles`. What was paid, the number of trades and what takers bought are not told."""
    row = CANDLE.read(payload)
    if not 0 < row.ts_s <= ID_MAX // NANOS_PER_SECOND:
        raise MalformedFrame("ts", "not a moment")
    prices = (row.open, row.high, row.low, row.close)
    ts_ns = row.ts_s * NANOS_PER_SECOND
    return Bar(venue, symbol, ts_ns, *prices, row.volume, None, None, None, received_at_ns)


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[Decimal, Decimal]) -> Instrument:
    """A product of the Exchange."""
    listing = LISTING.read(payload)
    return Instrument(
        venue,
        symbol,
        listing.id,
        listing.base,
        listing.quote,
        exact(listing.tick, "price_tick"),
        exact(listing.lot, "amount_step"),
        exact(listing.cost_min, "cost_min"),
        *fees,
        active=listing.status == "online" and not listing.trading_disabled,
    )
