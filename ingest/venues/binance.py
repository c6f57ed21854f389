"""Binance spot: raw frames and answers → market data. Pure; whatever comes in, only `MalformedFrame` comes out.

Trades are *aggregate* trades everywhere (stream `aggTrade`, REST `aggTrades`), so that stream, history and replay share
one id space. Field names: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Literal

from ares.clock import NANOS_PER_MILLI
from ares.errors import MalformedFrame
from ares.model.market import Bar, Book, Instrument, Quote, Trade

ID_MAX = 2**63 - 1
MILLIS_MAX = ID_MAX // NANOS_PER_MILLI
DIGITS_MAX = 40
DEFAULT_FEE = Decimal("0.001")

Level = tuple[float, float]
Source = Literal["stream", "rest", "replay"]


@dataclass(frozen=True, slots=True)
class Names:
    """A venue's name in rows and its symbols: the venue's own ("BTCUSDT") → ccxt's ("BTC/USDT")."""

    venue: str
    by_venue_symbol: Mapping[str, str]

    def symbol(self, frame: Mapping[str, object]) -> str:
        """Our symbol of a frame. Raises `MalformedFrame` for one that we did not ask for."""
        name = frame.get("s")
        known = self.by_venue_symbol.get(name) if isinstance(name, str) else None
        if known is None:
            raise MalformedFrame("symbol", "not a symbol that we subscribed to")
        return known


def decode_trade(payload: object, names: Names, received_at_ns: int) -> Trade:
    """A frame of the stream `aggTrade`."""
    frame = mapping(payload)
    return trade_of(frame, names.venue, names.symbol(frame), received_at_ns, "stream")


def trade_of(frame: Mapping[str, object], venue: str, symbol: str, received_at_ns: int, source: Source) -> Trade:
    """An aggregate trade of stream or REST: a, p, q, T, m. `m` = the buyer was the maker, so the taker sold."""
    seq = identifier(frame, "a", "trade_id")
    maker_bought = frame.get("m")
    if not isinstance(maker_bought, bool):
        raise MalformedFrame("side", "m is not true or false")
    return Trade(
        venue,
        symbol,
        str(seq),
        seq,
        "sell" if maker_bought else "buy",
        number(frame, "p", "price"),
        number(frame, "q", "amount"),
        moment_ns(frame, "T"),
        received_at_ns,
        source,
    )


def decode_quote(payload: object, names: Names, received_at_ns: int) -> Quote:
    """A frame of the stream `bookTicker`; spot frames carry no time, so ours of receipt serves."""
    frame = mapping(payload)
    timed = "E" in frame
    return Quote(
        names.venue,
        names.symbol(frame),
        identifier(frame, "u", "update_id"),
        number(frame, "b", "bid"),
        number(frame, "B", "bid_amount"),
        number(frame, "a", "ask"),
        number(frame, "A", "ask_amount"),
        moment_ns(frame, "E") if timed else received_at_ns,
        received_at_ns,
        "venue" if timed else "receipt",
    )


def decode_book(payload: object, names: Names, received_at_ns: int) -> Book:
    """A top of book: {s, u, E or None, bids, asks}, as `binance_feed` takes it from ccxt's maintained book."""
    frame = mapping(payload)
    timed = frame.get("E") is not None
    return Book(
        names.venue,
        names.symbol(frame),
        identifier(frame, "u", "update_id"),
        levels(frame, "bids"),
        levels(frame, "asks"),
        moment_ns(frame, "E") if timed else received_at_ns,
        received_at_ns,
        "venue" if timed else "receipt",
    )


def decode_bar(payload: object, venue: str, symbol: str, received_at_ns: int) -> Bar:
    """A row of REST `klines`: 12 values, times in ms, numbers as text."""
    row = sequence(payload, "kline")
    if len(row) < 11:
        raise MalformedFrame("kline", f"{len(row)} values where 12 belong")
    frame = {str(position): value for position, value in enumerate(row)}
    return Bar(
        venue,
        symbol,
        moment_ns(frame, "0"),
        number(frame, "1", "open"),
        number(frame, "2", "high"),
        number(frame, "3", "low"),
        number(frame, "4", "close"),
        number(frame, "5", "volume"),
        number(frame, "7", "cost"),
        whole(frame, "8", "trades"),
        number(frame, "9", "buy_volume"),
        received_at_ns,
    )


def decode_instrument(payload: object, venue: str, symbol: str, fees: tuple[object, object]) -> Instrument:
    """A symbol of `exchangeInfo`; `fees` are maker's and taker's as ccxt knows them, None for the standard ones."""
    frame = mapping(payload)
    filters = {
        entry["filterType"]: entry
        for entry in map(mapping, sequence(frame.get("filters"), "filters"))
        if isinstance(entry.get("filterType"), str)
    }
    minimum = filters.get("NOTIONAL", filters.get("MIN_NOTIONAL", {}))
    return Instrument(
        venue,
        symbol,
        text(frame, "symbol"),
        text(frame, "baseAsset"),
        text(frame, "quoteAsset"),
        decimal(filters.get("PRICE_FILTER", {}), "tickSize", "price_tick"),
        decimal(filters.get("LOT_SIZE", {}), "stepSize", "amount_step"),
        decimal(minimum, "minNotional", "cost_min"),
        fee(fees[0]),
        fee(fees[1]),
        active=frame.get("status") == "TRADING",
    )


def mapping(payload: object) -> Mapping[str, object]:
    """The payload as an object."""
    if not isinstance(payload, dict):
        raise MalformedFrame("frame", "not an object")
    return payload


def sequence(payload: object, field: str) -> Sequence[object]:
    """The payload as a list."""
    if not isinstance(payload, list | tuple):
        raise MalformedFrame(field, "not a list")
    return payload


def text(frame: Mapping[str, object], key: str) -> str:
    """A short, non-empty text."""
    value = frame.get(key)
    if not isinstance(value, str) or not 0 < len(value) <= DIGITS_MAX:
        raise MalformedFrame(key, "not a short text")
    return value


def number(frame: Mapping[str, object], key: str, field: str) -> float:
    """A decimal number as the venue writes it, a text of digits; its value is judged elsewhere."""
    return as_float(frame.get(key), field)


def as_float(value: object, field: str) -> float:
    """A number from its text or JSON form; finite or not, but a number."""
    if isinstance(value, str):
        if len(value) > DIGITS_MAX or "_" in value:
            raise MalformedFrame(field, "not a number")
        try:
            return float(value)
        except ValueError:
            raise MalformedFrame(field, "not a number") from None
    if isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= ID_MAX):
        return float(value)
    raise MalformedFrame(field, "missing or not a number")


def whole(frame: Mapping[str, object], key: str, field: str) -> int:
    """A whole number from 0 to the largest LONG."""
    value = frame.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 19:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= ID_MAX:
        raise MalformedFrame(field, "not a whole number")
    return value


def identifier(frame: Mapping[str, object], key: str, field: str) -> int:
    """A venue's id: a positive whole number."""
    value = whole(frame, key, field)
    if value == 0:
        raise MalformedFrame(field, "ids are positive")
    return value


def moment_ns(frame: Mapping[str, object], key: str) -> int:
    """Milliseconds since 1970 as nanoseconds."""
    millis = whole(frame, key, "ts")
    if not 0 < millis <= MILLIS_MAX:
        raise MalformedFrame("ts", "not a time in milliseconds")
    return millis * NANOS_PER_MILLI


def levels(frame: Mapping[str, object], side: str) -> tuple[Level, ...]:
    """(price, amount) pairs, best first as they came."""
    pairs: list[Level] = []
    for entry in sequence(frame.get(side), side):
        pair = sequence(entry, side)
        if len(pair) < 2:
            raise MalformedFrame(side, "a level without price or amount")
        pairs.append((as_float(pair[0], side), as_float(pair[1], side)))
    return tuple(pairs)


def decimal(frame: Mapping[str, object], key: str, field: str) -> Decimal:
    """An exact, positive or zero decimal from its text."""
    value = frame.get(key)
    if not isinstance(value, str) or len(value) > DIGITS_MAX:
        raise MalformedFrame(field, f"{key} is missing")
    try:
        exact = Decimal(value)
    except InvalidOperation:
        raise MalformedFrame(field, "not a decimal") from None
    if not exact.is_finite() or exact < 0:
        raise MalformedFrame(field, "not a finite, non-negative decimal")
    return exact


def fee(rate: object) -> Decimal:
    """A fee rate, the venue's standard one if it is not told."""
    if isinstance(rate, int | float | Decimal) and not isinstance(rate, bool):
        return Decimal(str(rate))
    return DEFAULT_FEE
