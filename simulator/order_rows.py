"""Orders, lists and fills in the venue's words, as REST and the WebSocket API answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from simulator.matching.types import Amendment, Filled, Order, OrderList

EIGHT = Decimal("0.00000001")
FULL_TYPES = ("LIMIT", "MARKET")
"""Types whose placing is answered in full unless asked otherwise; the others' only with ids."""


def text(value: Decimal) -> str:
    """A number as the venue writes it: eight decimals, more only where a cost needs them."""
    eight = value.quantize(EIGHT)
    return f"{eight:f}" if eight == value else f"{value.normalize():f}"


def order_row(order: Order) -> dict[str, object]:
    """An order as GET answers it."""
    a = order.accepted
    row: dict[str, object] = {
        "symbol": a.symbol,
        "orderId": a.order_id,
        "orderListId": a.list_id,
        "clientOrderId": a.client_id,
        "price": text(a.price),
        "origQty": text(a.amount),
        "executedQty": text(order.filled),
        "cummulativeQuoteQty": text(order.filled_cost),
        "status": order.status,
        "timeInForce": a.time_in_force,
        "type": a.type,
        "side": a.side,
        "stopPrice": text(a.stop_price),
        "icebergQty": "0.00000000",
        "time": a.ts_ms,
        "updateTime": order.updated_ms,
        "isWorking": order.working,
        "workingTime": order.working_ms,
        "origQuoteOrderQty": text(a.quote_amount),
        "selfTradePreventionMode": "NONE",
    }
    if a.trailing_delta:
        row |= {"trailingDelta": a.trailing_delta, "trailingTime": order.trailing_ms}
    if order.reason:
        row["expiryReason"] = order.reason
    return row


def known(order: Order, fills: list[Filled]) -> Order:
    """The order as someone must see it who knows only of these executions."""
    if len(fills) == len(order.fills):
        return order
    filled = sum((fill.amount for fill in fills), Decimal(0))
    cost = sum((fill.price * fill.amount for fill in fills), Decimal(0))
    partly = replace(order, fills=fills, filled=filled, filled_cost=cost)
    if order.status in ("FILLED", "PARTIALLY_FILLED"):
        partly.status = "PARTIALLY_FILLED" if fills else "NEW"
    return partly


def order_reply(order: Order, kind: str | None) -> dict[str, object]:
    """The answer to a new order: ACK, RESULT or FULL (with what was executed at once)."""
    kind = kind or ("FULL" if order.accepted.type in FULL_TYPES else "ACK")
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
        "orderListId": order.accepted.list_id,
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


def list_row(its_list: OrderList) -> dict[str, object]:
    """An order list as GET answers it."""
    return {
        "orderListId": its_list.list_id,
        "contingencyType": "OCO",
        "listStatusType": "EXEC_STARTED" if its_list.open else "ALL_DONE",
        "listOrderStatus": "EXECUTING" if its_list.open else "ALL_DONE",
        "listClientOrderId": its_list.client_id,
        "transactionTime": its_list.ts_ms,
        "symbol": its_list.symbol,
        "orders": [
            {"symbol": its_list.symbol, "orderId": leg.order_id, "clientOrderId": leg.accepted.client_id}
            for leg in its_list.legs
        ],
    }


def list_reply(its_list: OrderList, reports: Sequence[dict[str, object]]) -> dict[str, object]:
    """The answer to placing or cancelling a list: with a report of each leg."""
    return list_row(its_list) | {"orderReports": list(reports)}


def amend_reply(order: Order, its_list: OrderList | None) -> dict[str, object]:
    """The answer to an amendment, which is the order's last."""
    row, done = order_row(order), order.amendments[-1]
    amended: dict[str, object] = {
        **{name: row[name] for name in ("symbol", "orderId", "orderListId")},
        "origClientOrderId": done.old_client_id,
        "clientOrderId": row["clientOrderId"],
        "price": row["price"],
        "qty": row["origQty"],
        "executedQty": row["executedQty"],
        "preventedQty": "0.00000000",
        "quoteOrderQty": row["origQuoteOrderQty"],
        "cumulativeQuoteQty": row["cummulativeQuoteQty"],
        **{name: row[name] for name in ("status", "timeInForce", "type", "side", "workingTime")},
        **{name: row[name] for name in ("trailingDelta", "trailingTime") if name in row},
        "selfTradePreventionMode": "NONE",
    }
    if order.accepted.contingent:
        amended["stopPrice"] = row["stopPrice"]
    reply: dict[str, object] = {
        "transactTime": done.ts_ms,
        "executionId": done.execution_id,
        "amendedOrder": amended,
    }
    if its_list is not None:
        status = list_row(its_list)
        kept = ("orderListId", "contingencyType", "listOrderStatus", "listClientOrderId", "symbol", "orders")
        reply["listStatus"] = {name: status[name] for name in kept}
    return reply


def amendment_row(order: Order, done: Amendment) -> dict[str, object]:
    """An amendment as order/amendments answers it."""
    return {
        "symbol": order.accepted.symbol,
        "orderId": order.order_id,
        "executionId": done.execution_id,
        "origClientOrderId": done.old_client_id,
        "newClientOrderId": done.client_id,
        "origQty": text(done.old_amount),
        "newQty": text(done.amount),
        "time": done.ts_ms,
    }
