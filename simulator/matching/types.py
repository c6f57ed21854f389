"""The words of the matching: orders, their events, the rules of a symbol and the venue's refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeGuard

Side = Literal["BUY", "SELL"]
OrderType = Literal["LIMIT", "LIMIT_MAKER", "MARKET"]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]
Ending = Literal["CANCELED", "EXPIRED"]
Levels = tuple[tuple[Decimal, Decimal], ...]

SIDES: tuple[Side, ...] = ("BUY", "SELL")
ORDER_TYPES: tuple[OrderType, ...] = ("LIMIT", "LIMIT_MAKER", "MARKET")
TIMES_IN_FORCE: tuple[TimeInForce, ...] = ("GTC", "IOC", "FOK")
ZERO = Decimal(0)


def is_side(text: str) -> TypeGuard[Side]:
    return text in SIDES


def is_order_type(text: str) -> TypeGuard[OrderType]:
    return text in ORDER_TYPES


def is_time_in_force(text: str) -> TypeGuard[TimeInForce]:
    return text in TIMES_IN_FORCE


class Refusal(Exception):
    """What the venue answers instead of doing it; `code` and `message` are Binance's."""

    def __init__(self, code: int, message: str, http_status: int = 400) -> None:
        self.code = code
        self.message = message
        self.http_status = http_status
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What orders of a symbol must obey; amounts in base, costs in quote, fees as shares."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    cost_min: Decimal = Decimal(5)
    amount_max: Decimal = Decimal(9000)
    price_max: Decimal = Decimal(10_000_000)


@dataclass(frozen=True, slots=True)
class DisplayedBook:
    """Levels (price, amount), best first."""

    bids: Levels
    asks: Levels


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it was asked for. `amount` or, for MARKET only, `quote_amount` is set; `price` unless MARKET."""

    symbol: str
    side: Side
    type: OrderType
    client_id: str
    time_in_force: TimeInForce = "GTC"
    price: Decimal | None = None
    amount: Decimal | None = None
    quote_amount: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order got an id. `amount` is base; a LIMIT order locks its balance now."""

    order_id: int
    ts_ms: int
    symbol: str
    side: Side
    type: OrderType
    client_id: str
    time_in_force: TimeInForce
    price: Decimal
    amount: Decimal
    quote_amount: Decimal


@dataclass(frozen=True, slots=True)
class Filled:
    """A part of an order was executed; the fee is taken from the asset received."""

    order_id: int
    ts_ms: int
    trade_id: int
    price: Decimal
    amount: Decimal
    maker: bool
    fee: Decimal
    fee_asset: str


@dataclass(frozen=True, slots=True)
class Closed:
    """What was left of an order is gone; `cancel_id` is the client id of the cancel, if there was one."""

    order_id: int
    ts_ms: int
    status: Ending
    cancel_id: str = ""


Event = Accepted | Filled | Closed


@dataclass(slots=True)
class Order:
    """An order's state: the sum of its events."""

    accepted: Accepted
    status: Status = "NEW"
    filled: Decimal = ZERO
    filled_cost: Decimal = ZERO
    updated_ms: int = 0
    cancel_id: str = ""
    fills: list[Filled] = field(default_factory=list)

    @property
    def order_id(self) -> int:
        return self.accepted.order_id

    @property
    def open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")

    @property
    def remaining(self) -> Decimal:
        return self.accepted.amount - self.filled
