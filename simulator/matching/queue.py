"""Who is filled by a trade of the replayed market: price first, then time, behind what was displayed before."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from simulator.matching.types import ZERO, Side


class Terms(Protocol):
    """What the queue must know of an order's terms."""

    @property
    def side(self) -> Side: ...
    @property
    def price(self) -> Decimal: ...


class Resting(Protocol):
    """An order on the book."""

    @property
    def accepted(self) -> Terms: ...
    @property
    def order_id(self) -> int: ...
    @property
    def remaining(self) -> Decimal: ...


R = TypeVar("R", bound=Resting)


@dataclass(frozen=True, slots=True)
class PublicTrade:
    """A trade of the replayed market."""

    symbol: str
    price: Decimal
    amount: Decimal
    buyer_is_maker: bool
    ts_ms: int


class Queue:
    """Remembers the displayed amount that an open order still waits behind; unknown after a restart until the book is
    seen.
    """

    def __init__(self) -> None:
        self._ahead: dict[int, Decimal] = {}

    def join(self, order_id: int, displayed: Decimal) -> None:
        """An order came to the book behind this much."""
        self._ahead[order_id] = displayed

    def see(self, orders: Iterable[Resting], displayed: Callable[[Side, Decimal], Decimal]) -> None:
        """The displayed book changed: nobody waits behind more than is displayed at the price."""
        for order in orders:
            shown = displayed(order.accepted.side, order.accepted.price)
            self._ahead[order.order_id] = min(shown, self._ahead.get(order.order_id, shown))

    def keep(self, is_open: Callable[[int], bool]) -> None:
        """Drop what is remembered about orders that are no longer open."""
        self._ahead = {order_id: ahead for order_id, ahead in self._ahead.items() if is_open(order_id)}

    def reached(self, order: Resting, trade: PublicTrade, left: Decimal) -> Decimal:
        """How much of the order this trade executes; takes from the queue ahead of it on the way."""
        buying, price = order.accepted.side == "BUY", order.accepted.price
        if trade.price > price if buying else trade.price < price:
            return ZERO
        # At our price by the other side's maker means that the other side came to us: nobody is ahead any more.
        if trade.price != price or trade.buyer_is_maker != buying:
            self._ahead[order.order_id] = ZERO
            return min(order.remaining, left)
        ahead = self._ahead.get(order.order_id)
        if ahead is None:
            return ZERO
        waited = min(ahead, trade.amount)
        self._ahead[order.order_id] = ahead - waited
        return max(ZERO, min(order.remaining, left - waited))


def by_priority(orders: Iterable[R]) -> list[R]:
    """Best price first, the older first; buyers and sellers never compete for one trade."""

    def rank(order: R) -> tuple[Decimal, int]:
        price = order.accepted.price
        return (-price if order.accepted.side == "BUY" else price), order.order_id

    return sorted(orders, key=rank)
