"""Balances and orders: what the events so far add up to. The only place where money moves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from simulator.matching.types import ZERO, Accepted, Closed, Event, Filled, Order, Refusal, Rules

FIRST_FILL_ID = 1_000_000_000_000
"""Our fills are not on the public tape; their ids start where the tape's will not come for centuries."""


@dataclass(slots=True)
class Balance:
    """One asset of the account: what may be spent and what open orders hold."""

    free: Decimal = ZERO
    locked: Decimal = ZERO


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
        self._open: dict[str, dict[int, Order]] = {}
        self._by_client_id: dict[tuple[str, str], int] = {}

    def apply(self, event: Event) -> Order:
        """Take in one event; returns the order it is about."""
        if isinstance(event, Accepted):
            return self._accept(event)
        order = self.orders[event.order_id]
        order.updated_ms = event.ts_ms
        if isinstance(event, Filled):
            self._fill(order, event)
        else:
            self._close(order, event)
        if not order.open:
            self._open[order.accepted.symbol].pop(order.order_id)
        return order

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
        order = self.orders[event.order_id] = Order(event, updated_ms=event.ts_ms)
        self._open.setdefault(event.symbol, {})[event.order_id] = order
        self._by_client_id[event.symbol, event.client_id] = event.order_id
        self._lock(order, event.amount)
        return order

    def _fill(self, order: Order, fill: Filled) -> None:
        assert ZERO < fill.amount <= order.remaining, (fill, order.remaining)
        rules, side = self.rules[order.accepted.symbol], order.accepted.side
        cost = fill.price * fill.amount
        self._lock(order, -fill.amount)
        if side == "BUY":
            self._pay(rules.quote, cost)
            self.balances[rules.base].free += fill.amount - fill.fee
        else:
            self._pay(rules.base, fill.amount)
            self.balances[rules.quote].free += cost - fill.fee
        self.fees[fill.fee_asset] += fill.fee
        order.filled += fill.amount
        order.filled_cost += cost
        order.fills.append(fill)
        order.status = "FILLED" if order.remaining == 0 else "PARTIALLY_FILLED"
        self.next_fill_id = max(self.next_fill_id, fill.trade_id + 1)

    def _close(self, order: Order, event: Closed) -> None:
        assert order.open, order
        self._lock(order, -order.remaining)
        order.status = event.status
        order.cancel_id = event.cancel_id

    def _lock(self, order: Order, amount: Decimal) -> None:
        """Move what `amount` of the order holds from free to locked; negative: back. Market orders hold nothing."""
        accepted = order.accepted
        if accepted.type == "MARKET":
            return
        rules = self.rules[accepted.symbol]
        held = amount * accepted.price if accepted.side == "BUY" else amount
        balance = self.balances[rules.quote if accepted.side == "BUY" else rules.base]
        balance.free -= held
        balance.locked += held
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
