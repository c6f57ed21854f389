"""Orders, fills and balances as the venue takes and answers them; one set of methods for REST and the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Protocol, TypeVar

from simulator.late_fills import LateFills
from simulator.matching.engine import UNKNOWN
from simulator.matching.filters import check_client_id
from simulator.matching.ledger import Ledger, require_order
from simulator.matching.types import Filled, NewOrder, Order, OrderList, Refusal
from simulator.order_rows import cancel_reply, fill_row, known, list_reply, order_reply, order_row, text
from simulator.order_words import new_order
from simulator.params import Params, require_one

ROWS = 500
ROWS_MAX = 1_000
T = TypeVar("T")
RESTRICTIONS = {"ONLY_NEW": "NEW", "ONLY_PARTIALLY_FILLED": "PARTIALLY_FILLED"}


class Orders(Protocol):
    """What takes the account's orders and remembers them."""

    ledger: Ledger

    def place(self, new: NewOrder) -> Order:
        """Take an order. Raises `Refusal`."""
        ...

    def cancel(self, order: Order, cancel_id: str) -> Order:
        """End an open order. Raises `Refusal`."""
        ...


class AccountApi:
    """Everything signed. Methods take parameters that were already authenticated, and return JSON."""

    def __init__(
        self, desk: Orders, now_ms: Callable[[], int], late: LateFills | None = None, *, futures: bool = False
    ) -> None:
        self._desk = desk
        self._futures = futures
        self._ledger = desk.ledger
        self._now_ms = now_ms
        self._late = late

    def place(self, params: Params) -> object:
        order = self._desk.place(new_order(params, self._ledger.next_order_id))
        return order_reply(order, params.maybe("newOrderRespType"))

    def test(self, params: Params) -> object:
        """Only whether the words are right: the venue's own test does not look at the account either."""
        symbol_of(self._ledger.rules, params)
        new_order(params, self._ledger.next_order_id)
        return {}

    def cancel(self, params: Params) -> object:
        order = find_order(self._desk, params, -2011, UNKNOWN)
        check_restrictions(order, params)
        return cancelled(self._desk, order, cancel_id_of(params, self._now_ms()))

    def cancel_all(self, params: Params) -> object:
        """Every open order and list of a symbol."""
        orders = self._ledger.open_orders(symbol_of(self._ledger.rules, params))
        if not orders:
            raise Refusal(-2011, UNKNOWN)
        cancel_id = cancel_id_of(params, self._now_ms())
        return [cancelled(self._desk, order, cancel_id) for order in orders if order.open]

    def order(self, params: Params) -> object:
        return order_row(find_order(self._desk, params, -2013, "Order does not exist."))

    def open_orders(self, params: Params) -> object:
        symbol = symbol_of(self._ledger.rules, params) if params.has("symbol") else None
        return [order_row(order) for order in self._ledger.open_orders(symbol)]

    def all_orders(self, params: Params) -> object:
        symbol, first = symbol_of(self._ledger.rules, params), params.integer("orderId") or 0
        rows = [o for o in self._ledger.orders.values() if o.accepted.symbol == symbol and o.order_id >= first]
        rows = [o for o in rows if within(params, o.accepted.ts_ms)]
        rows = [known(order, self._told(order.fills)) for order in page(rows, params, from_start=params.has("orderId"))]
        return [order_row(order) for order in rows]

    def my_trades(self, params: Params) -> object:
        symbol = symbol_of(self._ledger.rules, params)
        order_id, first = params.integer("orderId"), params.integer("fromId") or 0
        rows = [
            (order, fill)
            for order, fill in self._ledger.fills(symbol)
            if self._told([fill])
            and fill.trade_id >= first
            and order_id in (None, order.order_id)
            and within(params, fill.ts_ms)
        ]
        return [fill_row(order, fill) for order, fill in page(rows, params, from_start=params.has("fromId"))]

    def account(self, params: Params) -> object:
        hide_zero = params.maybe("omitZeroBalances") == "true"
        fee = next(iter(self._ledger.rules.values()))
        balances = [
            {"asset": asset, "free": text(balance.free), "locked": text(balance.locked)}
            for asset, balance in self._ledger.balances.items()
            if not hide_zero or balance.free or balance.locked
        ]
        return {
            "makerCommission": int(fee.maker_fee * 10_000),
            "takerCommission": int(fee.taker_fee * 10_000),
            "commissionRates": {"maker": text(fee.maker_fee), "taker": text(fee.taker_fee)},
            "canTrade": True,
            "canWithdraw": False,
            "canDeposit": False,
            "accountType": "SPOT",
            "updateTime": self._now_ms(),
            "balances": balances,
            "permissions": ["SPOT"],
        }

    def trade_fee(self, params: Params) -> object:
        chosen = [symbol_of(self._ledger.rules, params)] if params.has("symbol") else list(self._ledger.rules)
        rules = [self._ledger.rules[symbol] for symbol in chosen]
        return [
            {"symbol": r.symbol, "makerCommission": text(r.maker_fee), "takerCommission": text(r.taker_fee)}
            for r in rules
        ]

    def restrictions(self, _params: Params) -> object:
        """What the key may do: read and trade, never withdraw."""
        return {
            "ipRestrict": True,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableFutures": self._futures,
            "enableWithdrawals": False,
        }

    def _told(self, fills: list[Filled]) -> list[Filled]:
        """Those that the venue's database has by now."""
        late = self._late
        return fills if late is None else [fill for fill in fills if late.told(fill)]


def symbol_of(listed: Container[str], params: Params) -> str:
    """The symbol asked about. Raises `Refusal`."""
    symbol = params.text("symbol")
    if symbol not in listed:
        raise Refusal(-1121, "Invalid symbol.")
    return symbol


def find_order(
    desk: Orders, params: Params, code: int, message: str, names: tuple[str, str] = ("orderId", "origClientOrderId")
) -> Order:
    """The order that is meant by id or client id. Raises `Refusal`, with this code and text when there is none."""
    symbol = symbol_of(desk.ledger.rules, params)
    require_one(params, names[1], names[0])
    order_id, client_id = params.integer(names[0]), params.maybe(names[1])
    return require_order(desk.ledger.find(symbol, order_id, client_id), code, message)


def cancel_id_of(params: Params, now_ms: int, name: str = "newClientOrderId") -> str:
    """The client id of a cancel. Raises `Refusal`."""
    given = params.maybe(name)
    if given is None:
        return f"cancel-{now_ms}"
    check_client_id(name, given)
    return given


def check_restrictions(order: Order, params: Params) -> None:
    """`cancelRestrictions`: whether the order is in the state it must be in. Raises `Refusal`."""
    asked = params.maybe("cancelRestrictions")
    if asked is None:
        return
    if asked not in RESTRICTIONS:
        raise Refusal(-1145, "Invalid cancelRestrictions")
    if order.open and order.status != RESTRICTIONS[asked]:
        raise Refusal(-2011, "Order was not canceled due to cancel restrictions.")


def cancelled(desk: Orders, order: Order, cancel_id: str) -> dict[str, object]:
    """Cancel an order, or the whole list of a leg, and say so. Raises `Refusal`."""
    its_list = desk.ledger.list_of(order)
    desk.cancel(order, cancel_id)
    return cancel_reply(order) if its_list is None else list_cancelled(its_list)


def list_cancelled(its_list: OrderList) -> dict[str, object]:
    """A cancelled list, with the reports of its legs."""
    return list_reply(its_list, [cancel_reply(leg) for leg in its_list.legs])


def within(params: Params, ts_ms: int) -> bool:
    """Whether a moment lies between `startTime` and `endTime`, both included."""
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    return (start_ms is None or ts_ms >= start_ms) and (end_ms is None or ts_ms <= end_ms)


def page(rows: list[T], params: Params, *, from_start: bool) -> list[T]:
    """The first `limit` rows when the caller pages by id or time, else the latest."""
    most = params.limit(ROWS, ROWS_MAX)
    return rows[:most] if from_start or params.has("startTime") else rows[-most:]
