"""Orders that belong together, and orders that change: OCO lists, cancelReplace, amendments."""

from __future__ import annotations

from collections.abc import Callable

from simulator.account_api import (
    cancel_id_of,
    cancelled,
    check_restrictions,
    find_order,
    list_cancelled,
    page,
    within,
)
from simulator.desk import Desk
from simulator.matching.engine import UNKNOWN
from simulator.matching.filters import check_client_id
from simulator.matching.types import NewOrder, Order, OrderList, Refusal
from simulator.order_rows import amend_reply, amendment_row, list_reply, list_row, order_reply
from simulator.order_words import new_order, new_pair
from simulator.params import Params, missing, require_one

STOP_ON_FAILURE, ALLOW_FAILURE = MODES = ("STOP_ON_FAILURE", "ALLOW_FAILURE")
CONFLICT = 409
"""HTTP status of a cancelReplace of which one half was done."""


class ChangeApi:
    """Beside `AccountApi`: methods take parameters that were already authenticated, and return JSON."""

    def __init__(self, desk: Desk, now_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._now_ms = now_ms

    def place_oco(self, params: Params) -> object:
        pair = new_pair(params, self._ledger.next_order_id, self._ledger.next_list_id)
        its_list = self._desk.place_pair(pair)
        kind = params.maybe("newOrderRespType") or "RESULT"
        return list_reply(its_list, [order_reply(leg, kind) for leg in its_list.legs])

    def cancel_list(self, params: Params) -> object:
        its_list = self._find_list(params, "listClientOrderId", Refusal(-2011, UNKNOWN))
        leg = next((leg for leg in its_list.legs if leg.open), None)
        if leg is None or its_list.symbol != params.text("symbol"):
            raise Refusal(-2011, UNKNOWN)
        self._desk.cancel(leg, cancel_id_of(params, self._now_ms()))
        return list_cancelled(its_list)

    def order_list(self, params: Params) -> object:
        return list_row(self._find_list(params, "origClientOrderId", Refusal(-2013, "Order does not exist.")))

    def open_lists(self, _params: Params) -> object:
        return [list_row(its_list) for its_list in self._ledger.lists.values() if its_list.open]

    def all_lists(self, params: Params) -> object:
        """Lists by id or time, the latest when neither is given."""
        first = params.integer("fromId") or 0
        if params.has("fromId") and (params.has("startTime") or params.has("endTime")):
            raise Refusal(-1128, "Combination of optional parameters invalid.")
        rows = [one for one in self._ledger.lists.values() if one.list_id >= first and within(params, one.ts_ms)]
        return [list_row(its_list) for its_list in page(rows, params, from_start=params.has("fromId"))]

    def amend(self, params: Params) -> object:
        """Less of an open order, which keeps its place in the queue."""
        order = find_order(self._desk, params, -2038, UNKNOWN)
        amount = params.decimal("newQty")
        if amount is None:
            raise missing("newQty")
        client_id = params.maybe("newClientOrderId") or f"ares-amend-{self._ledger.executions:018d}"
        check_client_id("newClientOrderId", client_id)
        self._desk.amend(order, amount, client_id)
        return amend_reply(order, self._ledger.list_of(order))

    def amendments(self, params: Params) -> object:
        order = find_order(self._desk, params, -2013, "Order does not exist.")
        first = params.integer("fromExecutionId") or 0
        rows = [done for done in order.amendments if done.execution_id >= first]
        return [amendment_row(order, done) for done in page(rows, params, from_start=True)]

    def cancel_replace(self, params: Params) -> object:
        """Cancel one order and place another. Filters are looked at first; then each half may fail by itself."""
        mode = params.text("cancelReplaceMode")
        if mode not in MODES:
            raise Refusal(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
        cancel_id = cancel_id_of(params, self._now_ms(), "cancelNewClientOrderId")
        new = new_order(params, self._ledger.next_order_id)
        self._desk.check(new)
        cancel = self._cancel_first(params, cancel_id)
        if isinstance(cancel, Refusal) and mode == STOP_ON_FAILURE:
            raise _failed(cancel, None)
        placed = self._place_then(new)
        if isinstance(cancel, Refusal) or isinstance(placed, Refusal):
            raise _failed(cancel, placed if isinstance(placed, Refusal) else self._placed(placed, params))
        return {
            "cancelResult": "SUCCESS",
            "newOrderResult": "SUCCESS",
            "cancelResponse": cancel,
            "newOrderResponse": self._placed(placed, params),
        }

    def _cancel_first(self, params: Params, cancel_id: str) -> dict[str, object] | Refusal:
        names = ("cancelOrderId", "cancelOrigClientOrderId")
        require_one(params, names[1], names[0])
        try:
            order = find_order(self._desk, params, -2011, UNKNOWN, names)
            check_restrictions(order, params)
            return cancelled(self._desk, order, cancel_id)
        except Refusal as refusal:
            return refusal

    def _place_then(self, new: NewOrder) -> Order | Refusal:
        try:
            return self._desk.place(new)
        except Refusal as refusal:
            return refusal

    def _placed(self, order: Order, params: Params) -> dict[str, object]:
        return order_reply(order, params.maybe("newOrderRespType"))

    def _find_list(self, params: Params, client_id_name: str, unknown: Refusal) -> OrderList:
        require_one(params, client_id_name, "orderListId")
        list_id, client_id = params.integer("orderListId"), params.maybe(client_id_name)
        found = self._ledger.find_list(list_id, client_id)
        if found is None:
            raise unknown
        return found


def _failed(cancel: dict[str, object] | Refusal, placed: dict[str, object] | Refusal | None) -> Refusal:
    """The answer to a cancelReplace that was not done whole; a new order of None was not attempted."""
    halves = {"cancel": cancel, "newOrder": placed}
    data: dict[str, object] = {}
    for name, half in halves.items():
        data[f"{name}Result"] = "NOT_ATTEMPTED" if half is None else _result(half)
    for name, half in halves.items():
        data[f"{name}Response"] = {"code": half.code, "msg": half.message} if isinstance(half, Refusal) else half
    if "SUCCESS" in data.values():
        return Refusal(-2021, "Order cancel-replace partially failed.", CONFLICT, data)
    return Refusal(-2022, "Order cancel-replace failed.", data=data)


def _result(half: dict[str, object] | Refusal) -> str:
    return "FAILURE" if isinstance(half, Refusal) else "SUCCESS"
