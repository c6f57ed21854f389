"""Orders that wait for a price, sorted by it: a trade looks only at those that it triggers.

A trailing stop's trigger moves with the market. Stops that saw the same best price move together, as one group, so that
a new best price costs a merge of groups and not a walk over all orders.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field
from decimal import Decimal

from simulator.matching.types import BIPS, NEVER_MS, ZERO, Order


class Waiting:
    """Numbers sorted by a price, the lowest first."""

    def __init__(self) -> None:
        self._items: list[tuple[Decimal, int]] = []

    def __len__(self) -> int:
        return len(self._items)

    def add(self, price: Decimal, number: int) -> None:
        insort(self._items, (price, number))

    def remove(self, price: Decimal, number: int) -> None:
        index = bisect_left(self._items, (price, number))
        assert self._items[index] == (price, number), (price, number)
        del self._items[index]

    def first_below(self, price: Decimal) -> int | None:
        """The first whose price is at or below this one."""
        return self._items[0][1] if self._items and self._items[0][0] <= price else None


@dataclass(slots=True)
class Group:
    """Trailing stops that saw the same best price; `members` are (delta, order id), the nearest first."""

    number: int
    best: Decimal
    members: list[tuple[int, int]] = field(default_factory=list)

    def trigger(self, sign: int) -> Decimal:
        """Where the nearest member triggers: `best` less its delta; with negated prices, more."""
        return self.best * (1 - sign * self.members[0][0] / BIPS)


class Trail:
    """Trailing stops of one side. Prices are negated for a BUY (`sign` −1), so that the best is the highest for both.

    >>> Trail(sign=1)  # a SELL triggers when the price falls by its delta from the highest
    """

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._groups: list[Group] = []
        """The higher its best price, the earlier: those that a new best price merges are at the end."""
        self._triggers = Waiting()
        self._by_number: dict[int, Group] = {}
        self._group_of: dict[int, Group] = {}
        self._next_number = 0

    def __len__(self) -> int:
        return len(self._group_of)

    def start(self, order_id: int, delta: int, price: Decimal) -> None:
        """Follow the market from this price on."""
        best = price * self._sign
        index = len(self._groups)
        while index and self._groups[index - 1].best < best:
            index -= 1
        if index == 0 or self._groups[index - 1].best != best:
            self._groups.insert(index, Group(self._next_number, best))
            self._next_number += 1
            index += 1
        group = self._groups[index - 1]
        if group.members:
            self._unset(group)
        insort(group.members, (delta, order_id))
        self._group_of[order_id] = group
        self._set(group)

    def stop(self, order_id: int, delta: int) -> None:
        """Forget one."""
        group = self._group_of.pop(order_id)
        self._unset(group)
        group.members.remove((delta, order_id))
        if group.members:
            self._set(group)
        else:
            self._groups.remove(group)

    def move(self, price: Decimal) -> None:
        """The market traded here: what saw only worse prices has a new best one."""
        best = price * self._sign
        merged: Group | None = None
        while self._groups and self._groups[-1].best < best:
            group = self._groups.pop()
            self._unset(group)
            merged = group if merged is None else self._merge(merged, group)
        if merged is None:
            return
        if self._groups and self._groups[-1].best == best:
            same = self._groups.pop()
            self._unset(same)
            merged = self._merge(merged, same)
        merged.best = best
        self._groups.append(merged)
        self._set(merged)

    def due(self, price: Decimal) -> int | None:
        """An order that this price triggers."""
        number = self._triggers.first_below(-price * self._sign)
        return None if number is None else self._by_number[number].members[0][1]

    def _merge(self, one: Group, other: Group) -> Group:
        """The smaller goes into the larger, so that an order changes its group a logarithm of times."""
        large, small = (one, other) if len(one.members) >= len(other.members) else (other, one)
        for member in small.members:
            insort(large.members, member)
            self._group_of[member[1]] = large
        return large

    def _set(self, group: Group) -> None:
        self._by_number[group.number] = group
        self._triggers.add(-group.trigger(self._sign), group.number)

    def _unset(self, group: Group) -> None:
        del self._by_number[group.number]
        self._triggers.remove(-group.trigger(self._sign), group.number)


class Stops:
    """All contingent orders of a symbol that are not on the book."""

    def __init__(self) -> None:
        self._rising = Waiting()
        self._falling = Waiting()
        self._trails = {"SELL": Trail(1), "BUY": Trail(-1)}

    def __len__(self) -> int:
        return len(self._rising) + len(self._falling) + sum(len(trail) for trail in self._trails.values())

    def add(self, order: Order) -> None:
        """Wait for the stop price or, where it was met or there is none to wait for, follow the market."""
        a = order.accepted
        if order.trailing_ms != NEVER_MS:
            self._trails[a.side].start(order.order_id, a.trailing_delta, order.trailing_from)
        elif _rises(order):
            self._rising.add(a.stop_price, order.order_id)
        else:
            self._falling.add(-a.stop_price, order.order_id)

    def remove(self, order: Order) -> None:
        a = order.accepted
        if order.trailing_ms != NEVER_MS:
            self._trails[a.side].stop(order.order_id, a.trailing_delta)
        elif _rises(order):
            self._rising.remove(a.stop_price, order.order_id)
        else:
            self._falling.remove(-a.stop_price, order.order_id)

    def restart(self, order: Order, price: Decimal) -> None:
        """A trailing stop has seen this price too, while nobody played the market to us."""
        trail, delta = self._trails[order.accepted.side], order.accepted.trailing_delta
        trail.stop(order.order_id, delta)
        trail.start(order.order_id, delta, price)

    def move(self, price: Decimal) -> None:
        """The market traded at this price."""
        for trail in self._trails.values():
            trail.move(price)

    def due(self, price: Decimal) -> int | None:
        """An order whose condition a trade at this price meets; it stays until it is removed."""
        found = self._rising.first_below(price)
        if found is None:
            found = self._falling.first_below(-price)
        for trail in self._trails.values():
            if found is None:
                found = trail.due(price)
        return found


def _rises(order: Order) -> bool:
    """Without a stop price any price will do: zero is below all."""
    return order.accepted.rising or order.accepted.stop_price == ZERO
