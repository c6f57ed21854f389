"""Conditional orders of perpetuals: kept beside the book by a service of their own until a price places the real one.

https://developers.binance.com/docs/derivatives/usds-margined-futures/trade/rest-api/New-Algo-Order
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeGuard

from simulator.matching.types import ZERO, Side

ConditionalType = Literal["STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET"]
WorkingType = Literal["CONTRACT_PRICE", "MARK_PRICE"]
WaitingStatus = Literal["NEW", "TRIGGERED", "REJECTED", "CANCELED", "EXPIRED"]
CONDITIONAL_TYPES: tuple[ConditionalType, ...] = ("STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
WORKING_TYPES: tuple[WorkingType, ...] = ("CONTRACT_PRICE", "MARK_PRICE")
WAITING_MAX = 200
"""Conditional orders that may wait for a price of one symbol."""
CALLBACK_MIN, CALLBACK_MAX = Decimal("0.1"), Decimal(10)
HUNDRED = Decimal(100)


def is_conditional_type(text: str) -> TypeGuard[ConditionalType]:
    return text in CONDITIONAL_TYPES


def is_working_type(text: str) -> TypeGuard[WorkingType]:
    return text in WORKING_TYPES


@dataclass(frozen=True, slots=True)
class NewConditional:
    """A conditional order as it was asked for. `callback` in percent, where it trails, and only there.

    `trigger_price` where it does not trail; `activate_price`, if any, where it does.
    """

    symbol: str
    side: Side
    type: ConditionalType
    client_id: str
    amount: Decimal
    trigger_price: Decimal | None = None
    working: WorkingType = "CONTRACT_PRICE"
    reduce_only: bool = False
    activate_price: Decimal | None = None
    callback: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Awaited:
    """A conditional order got an id."""

    algo_id: int
    ts_ms: int
    symbol: str
    side: Side
    type: ConditionalType
    client_id: str
    amount: Decimal
    trigger_price: Decimal
    working: WorkingType
    reduce_only: bool
    activate_price: Decimal = ZERO
    callback: Decimal = ZERO

    @property
    def rises(self) -> bool:
        """Whether it waits for a price at or above its trigger."""
        return (self.type == "TAKE_PROFIT_MARKET") == (self.side == "SELL")


@dataclass(frozen=True, slots=True)
class Followed:
    """A trailing one follows the market from now on; `price` is the first that counts."""

    algo_id: int
    ts_ms: int
    price: Decimal


@dataclass(frozen=True, slots=True)
class Sprung:
    """Its condition was met by `price`: the order `order_id` was placed, or none (0), for `reason`."""

    algo_id: int
    ts_ms: int
    price: Decimal
    order_id: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Dropped:
    """It waits no longer, and nothing was placed."""

    algo_id: int
    ts_ms: int
    status: Literal["CANCELED", "EXPIRED"]


ConditionalEvent = Awaited | Followed | Sprung | Dropped


@dataclass(slots=True)
class Conditional:
    """A conditional order's state: the sum of its events, and the best price that a trailing one has seen.

    `best` is no event: it moves with every trade, and what it missed lies on the tape (`followed_ms`).
    """

    awaited: Awaited
    status: WaitingStatus = "NEW"
    updated_ms: int = 0
    triggered_ms: int = 0
    followed_ms: int = 0
    order_id: int = 0
    reason: str = ""
    best: Decimal = ZERO

    @property
    def algo_id(self) -> int:
        return self.awaited.algo_id

    @property
    def waits(self) -> bool:
        return self.status == "NEW"

    def apply(self, event: ConditionalEvent) -> None:
        """Take in what happened to it."""
        self.updated_ms = event.ts_ms
        if isinstance(event, Followed):
            self.followed_ms, self.best = event.ts_ms, event.price
        elif isinstance(event, Sprung):
            self.status = "TRIGGERED" if event.order_id else "REJECTED"
            self.triggered_ms, self.order_id, self.reason = event.ts_ms, event.order_id, event.reason
        elif isinstance(event, Dropped):
            self.status = event.status

    def see(self, price: Decimal) -> None:
        """The market was here: a trailing one that follows keeps the best price."""
        if self.followed_ms:
            self.best = max(self.best, price) if self.awaited.side == "SELL" else min(self.best, price)

    def activates(self, price: Decimal) -> bool:
        """Whether a trailing one begins to follow at this price."""
        a = self.awaited
        if a.type != "TRAILING_STOP_MARKET" or self.followed_ms:
            return False
        return not a.activate_price or (price >= a.activate_price if a.side == "SELL" else price <= a.activate_price)

    def is_met(self, price: Decimal) -> bool:
        """Whether this price places its order."""
        a = self.awaited
        if a.type == "TRAILING_STOP_MARKET":
            share = a.callback / HUNDRED
            if not self.followed_ms:
                return False
            return price <= self.best * (1 - share) if a.side == "SELL" else price >= self.best * (1 + share)
        return price >= a.trigger_price if a.rises else price <= a.trigger_price
