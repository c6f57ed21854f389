"""Orders, fills and balances as the venue takes and answers them; one set of methods for REST and the WebSocket API."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from simulator.desk import Desk
from simulator.matching.filters import check_client_id
from simulator.matching.ledger import require_order
from simulator.matching.types import (
    SIDES,
    TIMES_IN_FORCE,
    Filled,
    NewOrder,
    Order,
    Refusal,
    TimeInForce,
    is_order_type,
    is_side,
    is_time_in_force,
)
from simulator.params import Params, missing

ROWS = 500
ROWS_MAX = 1_000
T = TypeVar("T")
EIGHT = Decimal("0.00000001")


def text(value: Decimal) -> str:
    """A number as the venue writes it: eight decimals, more only where a cost needs them."""
    eight = value.quantize(EIGHT)
    return f"{eight:f}" if eight == value else f"{value.normalize():f}"


class AccountApi:
    """Everything signed. Methods take parameters that were already authenticated, and return JSON."""

    def __init__(self, desk: Desk, now_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._ledger = desk.ledger
        self._now_ms = now_ms

    def place(self, params: Params) -> object:
        order = self._desk.place(self._new_order(params))
        return order_reply(order, params.maybe("newOrderRespType") or "FULL")

    def test(self, params: Params) -> object:
        """Only whether the words are right: the venue's own test does not look at the account either."""
        self._symbol(params)
        self._new_order(params)
        return {}

    def cancel(self, params: Params) -> object:
        order = self._find(params, -2011, "Unknown order sent.")
        return cancel_reply(self._desk.cancel(order, self._cancel_id(params)))

    def cancel_all(self, params: Params) -> object:
        orders = self._ledger.open_orders(self._symbol(params))
        if not orders:
            raise Refusal(-2011, "Unknown order sent.")
        return [cancel_reply(self._desk.cancel(order, self._cancel_id(params))) for order in orders]

    def order(self, params: Params) -> object:
        return order_row(self._find(params, -2013, "Order does not exist."))

    def open_orders(self, params: Params) -> object:
        symbol = self._symbol(params) if params.has("symbol") else None
        return [order_row(order) for order in self._ledger.open_orders(symbol)]

    def all_orders(self, params: Params) -> object:
        symbol, first = self._symbol(params), params.integer("orderId") or 0
        rows = [o for o in self._ledger.orders.values() if o.accepted.symbol == symbol and o.order_id >= first]
        rows = [o for o in rows if _within(params, o.accepted.ts_ms)]
        return [order_row(order) for order in _page(rows, params, from_start=params.has("orderId"))]

    def my_trades(self, params: Params) -> object:
        symbol = self._symbol(params)
        order_id, first = params.integer("orderId"), params.integer("fromId") or 0
        rows = [
            (order, fill)
            for order, fill in self._ledger.fills(symbol)
            if fill.trade_id >= first and order_id in (None, order.order_id) and _within(params, fill.ts_ms)
        ]
        return [fill_row(order, fill) for order, fill in _page(rows, params, from_start=params.has("fromId"))]

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
        chosen = [self._symbol(params)] if params.has("symbol") else list(self._ledger.rules)
        rules = [self._ledger.rules[symbol] for symbol in chosen]
        return [
            {"symbol": r.symbol, "makerCommission": text(r.maker_fee), "takerCommission": text(r.taker_fee)}
            for r in rules
        ]

    def restrictions(self, _params: Params) -> object:
        """What the key may do: read and trade on spot, never withdraw."""
        return {
            "ipRestrict": True,
            "enableReading": True,
            "enableSpotAndMarginTrading": True,
            "enableWithdrawals": False,
        }

    def _symbol(self, params: Params) -> str:
        symbol = params.text("symbol")
        if symbol not in self._ledger.rules:
            raise Refusal(-1121, "Invalid symbol.")
        return symbol

    def _find(self, params: Params, code: int, message: str) -> Order:
        symbol = self._symbol(params)
        order_id, client_id = params.integer("orderId"), params.maybe("origClientOrderId")
        if order_id is None and client_id is None:
            raise Refusal(-1102, "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!")
        return require_order(self._ledger.find(symbol, order_id, client_id), code, message)

    def _cancel_id(self, params: Params) -> str:
        given = params.maybe("newClientOrderId")
        if given is None:
            return f"cancel-{self._now_ms()}"
        check_client_id("newClientOrderId", given)
        return given

    def _new_order(self, params: Params) -> NewOrder:
        side, kind = params.text("side"), params.text("type")
        if not is_side(side):
            raise Refusal(-1117, f"Invalid side. Known: {', '.join(SIDES)}.")
        if not is_order_type(kind):
            raise Refusal(-1116, "Invalid orderType.")
        new = NewOrder(
            params.text("symbol"),
            side,
            kind,
            params.maybe("newClientOrderId") or f"ares-{self._ledger.next_order_id:018d}",
            _time_in_force(params, kind),
            params.decimal("price"),
            params.decimal("quantity"),
            params.decimal("quoteOrderQty"),
        )
        _check_shape(new)
        return new


def _time_in_force(params: Params, kind: str) -> TimeInForce:
    value = params.maybe("timeInForce")
    if kind != "LIMIT":
        if value is not None:
            raise _unwanted("timeInForce")
        return "GTC"
    if value is None:
        raise missing("timeInForce")
    if not is_time_in_force(value):
        raise Refusal(-1115, f"Invalid timeInForce. Known: {', '.join(TIMES_IN_FORCE)}.")
    return value


def _check_shape(new: NewOrder) -> None:
    """Whether the numbers that this type of order needs are there, and no others."""
    if new.type == "MARKET":
        if new.price is not None:
            raise _unwanted("price")
        if (new.amount is None) == (new.quote_amount is None):
            raise missing("quantity")
        return
    if new.quote_amount is not None:
        raise _unwanted("quoteOrderQty")
    if new.amount is None:
        raise missing("quantity")
    if new.price is None:
        raise missing("price")


def _unwanted(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def _within(params: Params, ts_ms: int) -> bool:
    start_ms, end_ms = params.integer("startTime"), params.integer("endTime")
    return (start_ms is None or ts_ms >= start_ms) and (end_ms is None or ts_ms <= end_ms)


def _page(rows: list[T], params: Params, *, from_start: bool) -> list[T]:
    """The first `limit` rows when the caller pages by id or time, else the latest."""
    most = params.limit(ROWS, ROWS_MAX)
    return rows[:most] if from_start or params.has("startTime") else rows[-most:]


def order_row(order: Order) -> dict[str, object]:
    """An order as GET answers it."""
    a = order.accepted
    return {
        "symbol": a.symbol,
        "orderId": a.order_id,
        "orderListId": -1,
        "clientOrderId": a.client_id,
        "price": text(a.price),
        "origQty": text(a.amount),
        "executedQty": text(order.filled),
        "cummulativeQuoteQty": text(order.filled_cost),
        "status": order.status,
        "timeInForce": a.time_in_force,
        "type": a.type,
        "side": a.side,
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": a.ts_ms,
        "updateTime": order.updated_ms,
        "isWorking": True,
        "workingTime": a.ts_ms,
        "origQuoteOrderQty": text(a.quote_amount),
        "selfTradePreventionMode": "NONE",
    }


def order_reply(order: Order, kind: str) -> dict[str, object]:
    """The answer to a new order: ACK, RESULT or FULL (with what was executed at once)."""
    row = order_row(order)
    row["transactTime"] = row.pop("time")
    if kind == "ACK":
        return {name: row[name] for name in ("symbol", "orderId", "orderListId", "clientOrderId", "transactTime")}
    if kind == "FULL":
        row["fills"] = [
            {
                "price": text(fill.price),
                "qty": text(fill.amount),
                "commission": text(fill.fee),
                "commissionAsset": fill.fee_asset,
                "tradeId": fill.trade_id,
            }
            for fill in order.fills
        ]
    return row


def cancel_reply(order: Order) -> dict[str, object]:
    """The answer to a cancel: its own client id, and the order's as `origClientOrderId`."""
    row = order_row(order)
    row["transactTime"] = row.pop("updateTime")
    return row | {"origClientOrderId": order.accepted.client_id, "clientOrderId": order.cancel_id}


def fill_row(order: Order, fill: Filled) -> dict[str, object]:
    """An execution as myTrades answers it."""
    return {
        "symbol": order.accepted.symbol,
        "id": fill.trade_id,
        "orderId": order.order_id,
        "orderListId": -1,
        "price": text(fill.price),
        "qty": text(fill.amount),
        "quoteQty": text(fill.price * fill.amount),
        "commission": text(fill.fee),
        "commissionAsset": fill.fee_asset,
        "time": fill.ts_ms,
        "isBuyer": order.accepted.side == "BUY",
        "isMaker": fill.maker,
        "isBestMatch": True,
    }
