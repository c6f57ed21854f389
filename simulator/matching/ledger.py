"""Balances and orders: what the events so far add up to. The only place where money moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from simulator.matching.stops import Stops
from simulator.matching.types import (
    NEVER_MS,
    NO_LIST,
    ZERO,
    Accepted,
    Amended,
    Amendment,
    Closed,
    Event,
    Filled,
    Order,
    OrderList,
    Refusal,
    Rules,
    Tracked,
    Triggered,
)

FIRST_FILL_ID = 1_000_000_000_000
"""Our fills are not on the public tape; their ids start where the tape's will not come for centuries."""


@dataclass(slots=True)
class Balance:
    """One asset of the account: what may be spent and what open orders hold."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


Change = Tracked | Triggered | Amended | Closed


class Ledger:
    """One account. `apply` is the only way to change it; a negative balance is a bug and stops the exchange."""

    def __init__(self, rules: Iterable[Rules], opening: Mapping[str, Decimal]) -> None:
        self.rules = {rule.symbol: rule for rule in rules}
        self.balances: defaultdict[str, Balance] = defaultdict(Balance)
        for asset, amount in opening.items():
            self.balances[asset].free = amount
        self.fees: defaultdict[str, Decimal] = defaultdict(Decimal)
        self.orders: dict[int, Order] = {}
        self.next_order_id = 1
        self.next_fill_id = FIRST_FILL_ID
        self.lists: dict[int, OrderList] = {}
        self.next_list_id = 1
        self.executions = 0
        """Number of events so far: the venue's execution id of the last one."""
        self.stops = {symbol: Stops() for symbol in self.rules}
        self._open: dict[str, dict[int, Order]] = {}
        self._resting: dict[str, dict[int, Order]] = {}
        self._by_client_id: dict[tuple[str, str], int] = {}
        self._list_by_client_id: dict[str, int] = {}

    def apply(self, event: Event) -> Order:
        """Take in one event; returns the order it is about."""
        self.executions += 1
        if isinstance(event, Accepted):
            return self._accept(event)
        order = self.orders[event.order_id]
        before = self.held(order)
        if isinstance(event, Filled):
            self._fill(order, event, before)
        else:
            self._change(order, event)
            self._lock(order, self.held(order) - before)
        order.updated_ms = event.ts_ms
        if not order.open:
            self._open[order.accepted.symbol].pop(order.order_id)
            self._resting[order.accepted.symbol].pop(order.order_id, None)
        return order

    def resting(self, symbol: str) -> Iterable[Order]:
        """Orders on the book, in order of their coming there."""
        return self._resting.get(symbol, {}).values()

    def held(self, order: Order) -> Decimal:
        """What is locked for an order, or for the list that it belongs to: quote for a BUY, base for a SELL."""
        list_id = order.accepted.list_id
        return order.held if list_id == NO_LIST else self.lists[list_id].held

    def list_of(self, order: Order) -> OrderList | None:
        """The order list of a leg."""
        return self.lists.get(order.accepted.list_id)

    def siblings(self, order: Order) -> list[Order]:
        """The other open legs of the order's list."""
        its_list = self.list_of(order)
        return [leg for leg in its_list.legs if leg is not order and leg.open] if its_list else []

    def find_list(self, list_id: int | None, client_id: str | None) -> OrderList | None:
        """By the venue's id or, the latest that used it, by the client's."""
        if list_id is None:
            list_id = self._list_by_client_id.get(client_id or "", NO_LIST)
        found = self.lists.get(list_id)
        return found if found is not None and client_id in (None, found.client_id) else None

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Open orders in order of their acceptance."""
        if symbol is not None:
            return list(self._open.get(symbol, {}).values())
        return sorted((o for orders in self._open.values() for o in orders.values()), key=lambda o: o.order_id)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """By the venue's id or, the latest that used it, by the client's."""
        found = order_id if order_id is not None else self._by_client_id.get((symbol, client_id or ""))
        order = self.orders.get(found) if found is not None else None
        return order if order is not None and order.accepted.symbol == symbol else None

    def fills(self, symbol: str) -> Iterator[tuple[Order, Filled]]:
        """All executions of a symbol, in order of their ids."""
        of_symbol = (order for order in self.orders.values() if order.accepted.symbol == symbol)
        yield from sorted(((o, f) for o in of_symbol for f in o.fills), key=lambda pair: pair[1].trade_id)

    def total(self, asset: str) -> Decimal:
        """Everything the account holds of an asset."""
        balance = self.balances[asset]
        return balance.free + balance.locked

    def _accept(self, event: Accepted) -> Order:
        assert event.order_id == self.next_order_id, (event.order_id, self.next_order_id)
        self.next_order_id += 1
        working_ms = NEVER_MS if event.contingent else event.ts_ms
        order = self.orders[event.order_id] = Order(event, updated_ms=event.ts_ms, working_ms=working_ms)
        self._open.setdefault(event.symbol, {})[event.order_id] = order
        self._by_client_id[event.symbol, event.client_id] = event.order_id
        resting = self._resting.setdefault(event.symbol, {})
        if event.contingent:
            self.stops[event.symbol].add(order)
        else:
            resting[event.order_id] = order
        before = ZERO
        if event.list_id != NO_LIST:
            its_list = self._list(event)
            before = its_list.held
            its_list.legs.append(order)
        self._lock(order, self.held(order) - before)
        return order

    def _list(self, event: Accepted) -> OrderList:
        found = self.lists.get(event.list_id)
        if found is None:
            assert event.list_id == self.next_list_id, (event.list_id, self.next_list_id)
            self.next_list_id += 1
            found = OrderList(event.list_id, event.list_client_id, event.symbol, event.ts_ms)
            self.lists[event.list_id] = found
            self._list_by_client_id[event.list_client_id] = event.list_id
        return found

    def _fill(self, order: Order, fill: Filled, held_before: Decimal) -> None:
        assert ZERO < fill.amount <= order.remaining, (fill, order.remaining)
        assert not self.siblings(order), order
        rules, side = self.rules[order.accepted.symbol], order.accepted.side
        cost = fill.price * fill.amount
        order.filled += fill.amount
        order.filled_cost += cost
        order.fills.append(fill)
        order.status = "FILLED" if order.remaining == 0 else "PARTIALLY_FILLED"
        self._lock(order, self.held(order) - held_before)
        if side == "BUY":
            self._pay(rules.quote, cost)
            self.balances[rules.base].free += fill.amount - fill.fee
        else:
            self._pay(rules.base, fill.amount)
            self.balances[rules.quote].free += cost - fill.fee
        self.fees[fill.fee_asset] += fill.fee
        self.next_fill_id = max(self.next_fill_id, fill.trade_id + 1)

    def _change(self, order: Order, event: Change) -> None:
        assert order.open, order
        stops = self.stops[order.accepted.symbol]
        if isinstance(event, Tracked):
            stops.remove(order)
            order.trailing_ms, order.trailing_from = event.ts_ms, event.price
            stops.add(order)
        elif isinstance(event, Triggered):
            assert not order.working, order
            stops.remove(order)
            order.working_ms = event.ts_ms
            self._resting[order.accepted.symbol][order.order_id] = order
        elif isinstance(event, Amended):
            self._amend(order, event)
        else:
            if not order.working:
                stops.remove(order)
            order.status = event.status
            order.cancel_id = event.cancel_id
            order.reason = event.reason

    def _amend(self, order: Order, event: Amended) -> None:
        old = order.accepted
        assert order.filled < event.amount < old.amount, (event, order)
        order.accepted = replace(old, amount=event.amount, client_id=event.client_id)
        order.amendments.append(
            Amendment(self.executions, event.ts_ms, old.client_id, event.client_id, old.amount, event.amount)
        )
        self._by_client_id[old.symbol, event.client_id] = order.order_id

    def _lock(self, order: Order, more: Decimal) -> None:
        """Move this much of what the order pays with from free to locked; negative: back."""
        rules = self.rules[order.accepted.symbol]
        balance = self.balances[rules.quote if order.accepted.side == "BUY" else rules.base]
        balance.free -= more
        balance.locked += more
        assert balance.locked >= 0, balance
        assert balance.free >= 0, balance

    def _pay(self, asset: str, amount: Decimal) -> None:
        self.balances[asset].free -= amount
        assert self.balances[asset].free >= 0, (asset, self.balances[asset])


def require_order(order: Order | None, code: int, message: str) -> Order:
    """The order, or the venue's refusal with this code and text."""
    if order is None:
        raise Refusal(code, message)
    return order
