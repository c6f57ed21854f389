"""The words of the matching: orders, their events, the rules of a symbol and the venue's refusals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeGuard

Side = Literal["BUY", "SELL"]
OrderType = Literal[
    "LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"
]
TimeInForce = Literal["GTC", "IOC", "FOK"]
Status = Literal["NEW", "PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED"]
Ending = Literal["CANCELED", "EXPIRED"]
Why = Literal[
    "",
    "REJECTED",
    "OCO_TRIGGER",
    "UNFILLED_IOC_QUANTITY_EXPIRED",
    "UNFILLED_FOK_ORDER_EXPIRED",
    "INSUFFICIENT_LIQUIDITY",
]
"""Why an order expired, in the venue's words (`expiryReason`, `eR`)."""
Levels = tuple[tuple[Decimal, Decimal], ...]

SIDES: tuple[Side, ...] = ("BUY", "SELL")
ORDER_TYPES: tuple[OrderType, ...] = (
    *("LIMIT", "LIMIT_MAKER", "MARKET"),
    *("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"),
)
CONTINGENT: tuple[OrderType, ...] = ("STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT")
"""Types that wait, off the book, until the market trades at their trigger."""
STOP_LOSSES: tuple[OrderType, ...] = ("STOP_LOSS", "STOP_LOSS_LIMIT")
AT_MARKET: tuple[OrderType, ...] = ("MARKET", "STOP_LOSS", "TAKE_PROFIT")
"""Types that take whatever price there is."""
TIMES_IN_FORCE: tuple[TimeInForce, ...] = ("GTC", "IOC", "FOK")
ZERO = Decimal(0)
NO_LIST = -1
NEVER_MS = -1
"""What the venue writes for a time that has not come."""
BIPS = Decimal(10_000)


def is_side(text: str) -> TypeGuard[Side]:
    return text in SIDES


def is_order_type(text: str) -> TypeGuard[OrderType]:
    return text in ORDER_TYPES


def is_time_in_force(text: str) -> TypeGuard[TimeInForce]:
    return text in TIMES_IN_FORCE


class Refusal(Exception):
    """What the venue answers instead of doing it; `code` and `message` are Binance's.

    `data` goes with it where a part was done or refused (cancelReplace). `retry_after_s`: for how long nothing is
    wanted; 0 where that is not said.
    """

    def __init__(
        self,
        code: int,
        message: str,
        http_status: int = 400,
        data: Mapping[str, object] | None = None,
        *,
        retry_after_s: int = 0,
    ) -> None:
        self.code = code
        self.message = message
        self.http_status = http_status
        self.data = data
        self.retry_after_s = retry_after_s
        super().__init__(f"{code}: {message}")


@dataclass(frozen=True, slots=True)
class Rules:
    """What orders of a symbol must obey; amounts in base, costs in quote, fees as shares, deltas in BIPS."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    step: Decimal
    maker_fee: Decimal
    taker_fee: Decimal
    cost_min: Decimal = Decimal(5)
    amount_min: Decimal = ZERO
    amount_max: Decimal = Decimal(9000)
    price_max: Decimal = Decimal(10_000_000)
    trailing_delta_min: int = 10
    trailing_delta_max: int = 2_000
    amends_max: int = 10


@dataclass(frozen=True, slots=True)
class DisplayedBook:
    """Levels (price, amount), best first, and the price of the last trade (zero before the first)."""

    bids: Levels
    asks: Levels
    last: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as it was asked for. `amount` or, for MARKET only, `quote_amount` is set; `price` unless at market.

    `stop_price` or `trailing_delta` (BIPS), or both, are set where the type is contingent, and only there.
    """

    symbol: str
    side: Side
    type: OrderType
    client_id: str
    time_in_force: TimeInForce = "GTC"
    price: Decimal | None = None
    amount: Decimal | None = None
    quote_amount: Decimal | None = None
    stop_price: Decimal | None = None
    trailing_delta: int = 0


def rises(kind: OrderType, side: Side) -> bool:
    """Whether a contingent order of this kind waits for a price above the market."""
    return (kind in STOP_LOSSES) == (side == "BUY")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order got an id. `amount` is base; what it holds is locked now.

    `hold_price`: quote per base that a BUY holds whose price nobody knows yet. `list_id` and `list_client_id`: the
    order list that it is a leg of.
    """

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
    stop_price: Decimal = ZERO
    trailing_delta: int = 0
    hold_price: Decimal = ZERO
    list_id: int = NO_LIST
    list_client_id: str = ""

    @property
    def contingent(self) -> bool:
        return self.type in CONTINGENT

    @property
    def rising(self) -> bool:
        """Whether the stop price is above the market: met by a trade at or above it, else by one at or below it."""
        return rises(self.type, self.side)


@dataclass(frozen=True, slots=True)
class Tracked:
    """A trailing stop follows the market from now on; `price` is the first one that counts."""

    order_id: int
    ts_ms: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Triggered:
    """A contingent order's condition was met by a trade at `price`: it goes to the book."""

    order_id: int
    ts_ms: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Amended:
    """An open order is smaller from now on, keeps its place in the queue, and may have another client id."""

    order_id: int
    ts_ms: int
    amount: Decimal
    client_id: str


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
    reason: Why = ""


Event = Accepted | Tracked | Triggered | Amended | Filled | Closed


@dataclass(frozen=True, slots=True)
class Amendment:
    """What one `Amended` changed."""

    execution_id: int
    ts_ms: int
    old_client_id: str
    client_id: str
    old_amount: Decimal
    amount: Decimal


@dataclass(slots=True)
class Order:
    """An order's state: the sum of its events. An amendment changes `accepted`."""

    accepted: Accepted
    status: Status = "NEW"
    filled: Decimal = ZERO
    filled_cost: Decimal = ZERO
    updated_ms: int = 0
    cancel_id: str = ""
    reason: Why = ""
    working_ms: int = NEVER_MS
    """Since when it is on the book."""
    trailing_ms: int = NEVER_MS
    """Since when a trailing stop follows the market."""
    trailing_from: Decimal = ZERO
    fills: list[Filled] = field(default_factory=list)
    amendments: list[Amendment] = field(default_factory=list)

    @property
    def order_id(self) -> int:
        return self.accepted.order_id

    @property
    def open(self) -> bool:
        return self.status in ("NEW", "PARTIALLY_FILLED")

    @property
    def working(self) -> bool:
        return self.working_ms != NEVER_MS

    @property
    def resting(self) -> bool:
        """On the book, so that a trade of the market can fill it."""
        return self.open and self.working

    @property
    def remaining(self) -> Decimal:
        return self.accepted.amount - self.filled

    @property
    def held(self) -> Decimal:
        """What it keeps locked by itself: quote for a BUY, base for a SELL. At market and on the book: nothing."""
        a = self.accepted
        if not self.open or a.type == "MARKET" or (a.type in AT_MARKET and self.working):
            return ZERO
        return self.remaining * (a.price or a.hold_price) if a.side == "BUY" else self.remaining


@dataclass(slots=True)
class OrderList:
    """An OCO pair: the legs hold together what the dearer of them needs, for only one can ever be executed."""

    list_id: int
    client_id: str
    symbol: str
    ts_ms: int
    legs: list[Order] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return any(leg.open for leg in self.legs)

    @property
    def held(self) -> Decimal:
        return max((leg.held for leg in self.legs), default=ZERO)
