"""Everything signed under /fapi about conditional orders: since 2025-12-09 a service apart from the book's."""

from __future__ import annotations

from simulator.account_api import page, symbol_of, within
from simulator.matching.conditional import Conditional
from simulator.matching.types import Refusal
from simulator.params import Params, require_one
from simulator.perpetual.algo_rows import algo_row, cancel_row
from simulator.perpetual.desk import MarginDesk
from simulator.perpetual.words import new_conditional


class AlgoApi:
    """Methods take parameters that were already authenticated, and return JSON."""

    def __init__(self, desk: MarginDesk) -> None:
        self._desk = desk
        self._ledger = desk.ledger

    def place(self, params: Params) -> object:
        symbol_of(self._ledger.contracts, params)
        new = new_conditional(params, self._ledger.next_algo_id)
        return algo_row(self._desk.place_conditional(new), self._ledger)

    def cancel(self, params: Params) -> object:
        order = self._find(params, Refusal(-2011, "Unknown order sent."))
        return cancel_row(self._desk.cancel_conditional(order))

    def cancel_all(self, params: Params) -> object:
        """Every one of a symbol that waits; no harm if there is none."""
        for order in list(self._ledger.waiting(symbol_of(self._ledger.contracts, params))):
            self._desk.cancel_conditional(order)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def order(self, params: Params) -> object:
        return algo_row(self._find(params, Refusal(-2013, "Order does not exist.")), self._ledger)

    def open_orders(self, params: Params) -> object:
        """Those that wait for a price; what one of them placed is an order of the book."""
        contracts = self._ledger.contracts
        symbols = [symbol_of(contracts, params)] if params.has("symbol") else list(contracts)
        return [algo_row(order, self._ledger) for symbol in symbols for order in self._ledger.waiting(symbol)]

    def all_orders(self, params: Params) -> object:
        symbol, first = symbol_of(self._ledger.contracts, params), params.integer("algoId") or 0
        orders = [o for o in self._ledger.algos.values() if o.awaited.symbol == symbol and o.algo_id >= first]
        rows = [order for order in orders if within(params, order.awaited.ts_ms)]
        return [algo_row(order, self._ledger) for order in page(rows, params, from_start=params.has("algoId"))]

    def _find(self, params: Params, unknown: Refusal) -> Conditional:
        require_one(params, "clientAlgoId", "algoId")
        found = self._ledger.find_algo(params.integer("algoId"), params.maybe("clientAlgoId"))
        if found is None:
            raise unknown
        return found
