"""A USD-M account: wallet, positions and orders, the sum of the events so far. The only place where they change."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Literal

from simulator.matching.conditional import Awaited, Conditional, ConditionalEvent, Dropped, Followed, Sprung
from simulator.matching.contracts import (
    AccountEvent,
    Cleared,
    Contract,
    ContractOrder,
    Entered,
    Execution,
    Funded,
    Levered,
    MarginEvent,
    Position,
)
from simulator.matching.ledger import FIRST_FILL_ID
from simulator.matching.types import ZERO, Filled

IncomeType = Literal["REALIZED_PNL", "COMMISSION", "FUNDING_FEE", "INSURANCE_CLEAR"]
CENTS = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Income:
    """One change of the wallet, signed."""

    tran_id: int
    ts_ms: int
    type: IncomeType
    symbol: str
    amount: Decimal
    trade_id: int | None = None


class MarginLedger:
    """`apply` is the only way to change it. The wallet is the opening plus all incomes, always."""

    def __init__(self, contracts: Iterable[Contract], wallet: Decimal) -> None:
        self.contracts = {contract.symbol: contract for contract in contracts}
        self.wallet = wallet
        self.positions = {symbol: Position(symbol) for symbol in self.contracts}
        self.orders: dict[int, ContractOrder] = {}
        self.incomes: list[Income] = []
        self.next_order_id = 1
        self.algos: dict[int, Conditional] = {}
        self.next_algo_id = 1
        self.next_fill_id = FIRST_FILL_ID
        self.last_ms = 0
        """When the last event happened."""
        self._open: dict[str, dict[int, ContractOrder]] = {symbol: {} for symbol in self.contracts}
        self._by_client_id: dict[tuple[str, str], int] = {}
        self._waiting: dict[str, dict[int, Conditional]] = {symbol: {} for symbol in self.contracts}
        self._algo_by_client_id: dict[str, int] = {}

    @property
    def asset(self) -> str:
        """What margin, profit and fees are in."""
        return next(iter(self.contracts.values())).quote

    def apply(self, event: MarginEvent) -> ContractOrder | None:
        """Take in one event; returns the order it is about, if it is about one on the book."""
        self.last_ms = max(self.last_ms, event.ts_ms)
        if isinstance(event, Awaited | Followed | Sprung | Dropped):
            self._condition(event)
            return None
        if isinstance(event, Funded | Levered | Cleared):
            self._account(event)
            return None
        if isinstance(event, Entered):
            return self._enter(event)
        order = self.orders[event.order_id]
        assert order.order_id in self._open[order.accepted.symbol], order
        if isinstance(event, Filled):
            self._fill(order, event)
        else:
            order.status, order.cancel_id, order.reason = event.status, event.cancel_id, event.reason
        order.updated_ms = event.ts_ms
        if not order.open:
            self._open[order.accepted.symbol].pop(order.order_id)
        return order

    def resting(self, symbol: str) -> Iterable[ContractOrder]:
        """Open orders of a symbol in order of their coming."""
        return self._open[symbol].values()

    def open_orders(self, symbol: str | None = None) -> list[ContractOrder]:
        """Open orders, of one symbol or of all, in order of their acceptance."""
        chosen = self._open if symbol is None else {symbol: self._open[symbol]}
        return sorted((o for orders in chosen.values() for o in orders.values()), key=lambda o: o.order_id)

    def find(self, symbol: str, order_id: int | None, client_id: str | None) -> ContractOrder | None:
        """By the venue's id or, the latest that used it, by the client's."""
        if order_id is None:
            order_id = self._by_client_id.get((symbol, client_id or ""))
        found = self.orders.get(order_id or 0)
        return found if found is not None and found.accepted.symbol == symbol else None

    def waiting(self, symbol: str) -> Collection[Conditional]:
        """Conditional orders of a symbol that were not triggered, in order of their coming."""
        return self._waiting[symbol].values()

    def find_algo(self, algo_id: int | None, client_id: str | None) -> Conditional | None:
        """By the venue's id or, the latest that used it, by the client's."""
        if algo_id is None:
            algo_id = self._algo_by_client_id.get(client_id or "")
        return self.algos.get(algo_id or 0)

    def executions(self, symbol: str) -> list[tuple[ContractOrder, Execution]]:
        """All executions of a symbol in order of their ids."""
        orders = [order for order in self.orders.values() if order.accepted.symbol == symbol]
        rows = [(order, done) for order in orders for done in order.executions]
        return sorted(rows, key=lambda row: row[1].fill.trade_id)

    def _enter(self, event: Entered) -> ContractOrder:
        assert event.order_id == self.next_order_id, (event.order_id, self.next_order_id)
        self.next_order_id += 1
        order = ContractOrder(event, updated_ms=event.ts_ms)
        self.orders[event.order_id] = order
        self._open[event.symbol][event.order_id] = order
        self._by_client_id[event.symbol, event.client_id] = event.order_id
        return order

    def _condition(self, event: ConditionalEvent) -> None:
        if isinstance(event, Awaited):
            assert event.algo_id == self.next_algo_id, (event.algo_id, self.next_algo_id)
            self.next_algo_id += 1
            self.algos[event.algo_id] = Conditional(event, updated_ms=event.ts_ms)
            self._waiting[event.symbol][event.algo_id] = self.algos[event.algo_id]
            self._algo_by_client_id[event.client_id] = event.algo_id
            return
        order = self.algos[event.algo_id]
        assert order.waits, order
        order.apply(event)
        if order.status != "NEW":
            self._waiting[order.awaited.symbol].pop(order.algo_id)

    def _fill(self, order: ContractOrder, fill: Filled) -> None:
        assert ZERO < fill.amount <= order.remaining, (fill, order.remaining)
        a = order.accepted
        position = self.positions[a.symbol]
        assert not a.reduce_only or fill.amount <= position.closable(a.side), (fill, position)
        signed = fill.amount if a.side == "BUY" else -fill.amount
        realized = _move(position, signed, fill.price)
        position.updated_ms = fill.ts_ms
        order.filled += fill.amount
        order.filled_cost += fill.price * fill.amount
        order.executions.append(Execution(fill, realized))
        order.status = "FILLED" if order.remaining == 0 else "PARTIALLY_FILLED"
        self.next_fill_id = max(self.next_fill_id, fill.trade_id + 1)
        if realized:
            self._earn("REALIZED_PNL", a.symbol, fill.ts_ms, realized, fill.trade_id)
        if fill.fee:
            self._earn("COMMISSION", a.symbol, fill.ts_ms, -fill.fee, fill.trade_id)

    def _account(self, event: AccountEvent) -> None:
        if isinstance(event, Levered):
            self.positions[event.symbol].leverage = event.leverage
        elif isinstance(event, Funded):
            self._earn("FUNDING_FEE", event.symbol, event.ts_ms, event.amount)
        else:
            self._earn("INSURANCE_CLEAR", event.symbol, event.ts_ms, event.amount)

    def _earn(self, kind: IncomeType, symbol: str, ts_ms: int, amount: Decimal, trade_id: int | None = None) -> None:
        self.wallet += amount
        self.incomes.append(Income(len(self.incomes) + 1, ts_ms, kind, symbol, amount, trade_id))


def _move(position: Position, signed: Decimal, price: Decimal) -> Decimal:
    """Take a fill into a position; returns what it realised.

    What is closed leaves with its share of the cost, so that a position that is flat again has realised exactly what
    it was sold for less what it was bought for.
    """
    before = position.amount
    closed = min(abs(before), abs(signed)) if before and (before > 0) != (signed > 0) else ZERO
    realized = ZERO
    if closed:
        part = position.cost
        if closed < abs(before):
            part = (position.cost * closed / abs(before)).quantize(CENTS, ROUND_HALF_EVEN)
        realized = (closed if before > 0 else -closed) * price - part
        position.cost -= part
    opened = abs(signed) - closed
    position.cost += (opened if signed > 0 else -opened) * price
    position.amount = before + signed
    position.realized += realized
    return realized
