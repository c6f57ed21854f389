"""Executions that stand in the book, and on the user stream, before the venue's database tells of them."""

from __future__ import annotations

from collections.abc import Callable

from simulator.matching import Event, Order
from simulator.matching.types import Filled
from simulator.misbehaviour import Misbehaviour


class LateFills:
    """Listens to the desk; an execution hit by `late_fill` is left out of myTrades and allOrders for `wait_ms`."""

    def __init__(self, misbehaviour: Misbehaviour, now_ms: Callable[[], int]) -> None:
        self._misbehaviour = misbehaviour
        self._now_ms = now_ms
        self._until_ms: dict[int, int] = {}

    def on_event(self, event: Event, order: Order) -> None:
        if isinstance(event, Filled):
            self.on_fill(order.accepted.symbol, order.accepted.client_id, event)

    def on_fill(self, symbol: str, client_id: str, fill: Filled) -> None:
        """An order of this client id was executed."""
        if self._misbehaviour.quiet:
            return
        fault = self._misbehaviour.hit("late_fill", symbol, f"fill {client_id}", fill.trade_id)
        if fault is not None:
            self._until_ms[fill.trade_id] = self._now_ms() + fault.wait_ms

    def told(self, fill: Filled) -> bool:
        """Whether the database has it by now."""
        until_ms = self._until_ms.get(fill.trade_id)
        if until_ms is None:
            return True
        if self._now_ms() < until_ms:
            return False
        del self._until_ms[fill.trade_id]
        return True
