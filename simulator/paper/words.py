"""What the venue says on its public stream and over REST, checked. Pure.

https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import TypeVar

import msgspec
from msgspec import field

from ares.errors import MalformedFrame
from simulator.market import Fees
from simulator.matching.types import Rules

Levels = tuple[tuple[str, str], ...]
NOTHING = msgspec.Raw(b"null")
FINEST = Decimal("0.00000001")
"""Where the venue sets no tick or step (0), its eight decimals are the grid."""
M = TypeVar("M")


class Said(msgspec.Struct):
    """A frame of combined streams: an event of a stream, or the answer to a request, which names none."""

    stream: str = ""
    data: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


class Trade(msgspec.Struct, frozen=True):
    """`<symbol>@trade`."""

    sent_ms: int = field(name="E")
    trade_id: int = field(name="t")
    price: str = field(name="p")
    amount: str = field(name="q")
    buyer_is_maker: bool = field(name="m")


class AggTrade(msgspec.Struct, frozen=True):
    """`<symbol>@aggTrade`: only its id counts here, the rest is passed on."""

    trade_id: int = field(name="a")


class Quote(msgspec.Struct, frozen=True):
    """`<symbol>@bookTicker`; it carries no time."""

    update_id: int = field(name="u")
    bid: str = field(name="b")
    bid_amount: str = field(name="B")
    ask: str = field(name="a")
    ask_amount: str = field(name="A")


class Depth(msgspec.Struct, frozen=True):
    """`<symbol>@depth@100ms`."""

    sent_ms: int = field(name="E")
    first_id: int = field(name="U")
    last_id: int = field(name="u")
    bids: Levels = field(name="b")
    asks: Levels = field(name="a")


class Snapshot(msgspec.Struct, frozen=True):
    """`GET /api/v3/depth`."""

    update_id: int = field(name="lastUpdateId")
    bids: Levels
    asks: Levels


class Price(msgspec.Struct, frozen=True):
    """One symbol of `GET /api/v3/ticker/price`."""

    price: str

    @property
    def value(self) -> Decimal:
        """Quote per base. Raises `MalformedFrame`."""
        return number(self.price)


class Listing(msgspec.Struct, frozen=True):
    """One symbol of `GET /api/v3/exchangeInfo`."""

    symbol: str
    base: str = field(name="baseAsset")
    quote: str = field(name="quoteAsset")
    filters: tuple[dict[str, object], ...]


class Listings(msgspec.Struct, frozen=True):
    """`GET /api/v3/exchangeInfo`."""

    symbols: tuple[Listing, ...]


def read(text: bytes | str | msgspec.Raw, kind: type[M]) -> M:
    """A message as what it must be. Raises `MalformedFrame`."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedFrame(kind.__name__, str(error)) from None


def number(text: str) -> Decimal:
    """A price or an amount, zero or above. Raises `MalformedFrame`."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise MalformedFrame("number", f"{text[:40]!r} is none") from None
    if not value.is_finite() or value < 0:
        raise MalformedFrame("number", f"{text[:40]!r} is no price and no amount")
    return value


def rules_of(listing: Listing, fees: Fees) -> Rules:
    """What the venue asks of orders of a symbol, with our fees. Raises `MalformedFrame`."""
    filters = {str(each.get("filterType")): each for each in listing.filters}
    prices, lots = (_filter(filters, name) for name in ("PRICE_FILTER", "LOT_SIZE"))
    costs = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    deltas = filters.get("TRAILING_DELTA") or {}
    amends = filters.get("MAX_NUM_ORDER_AMENDS") or {}
    usual = Rules(listing.symbol, listing.base, listing.quote, FINEST, FINEST, fees.maker, fees.taker)
    return Rules(
        listing.symbol,
        listing.base,
        listing.quote,
        tick=_amount(prices, "tickSize", FINEST),
        step=_amount(lots, "stepSize", FINEST),
        maker_fee=fees.maker,
        taker_fee=fees.taker,
        cost_min=_amount(costs, "minNotional", Decimal(0)),
        amount_min=_amount(lots, "minQty", Decimal(0)),
        amount_max=_amount(lots, "maxQty", usual.amount_max),
        price_max=_amount(prices, "maxPrice", usual.price_max),
        trailing_delta_min=_whole(deltas, "minTrailingBelowDelta", usual.trailing_delta_min),
        trailing_delta_max=_whole(deltas, "maxTrailingBelowDelta", usual.trailing_delta_max),
        amends_max=_whole(amends, "maxNumOrderAmends", usual.amends_max),
    )


def _filter(filters: Mapping[str, dict[str, object]], name: str) -> dict[str, object]:
    if name not in filters:
        raise MalformedFrame(f"exchangeInfo {name}", "missing: without it no order can be checked")
    return filters[name]


def _amount(of: Mapping[str, object], name: str, unset: Decimal) -> Decimal:
    """A filter's number; what is missing or zero is not limited by the venue."""
    return number(str(of.get(name, "0"))) or unset


def _whole(of: Mapping[str, object], name: str, unset: int) -> int:
    value = of.get(name, unset)
    if not isinstance(value, int):
        raise MalformedFrame(f"exchangeInfo {name}", f"{value!r} is no whole number")
    return value
