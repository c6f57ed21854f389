"""Conditional orders in the words of /fapi: as REST answers them, and as ALGO_UPDATE tells them.

https://developers.binance.com/docs/derivatives/usds-margined-futures/user-data-streams/Event-Algo-Order-Update
"""

from __future__ import annotations

from simulator.matching.conditional import Conditional
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import ZERO
from simulator.order_rows import text
from simulator.perpetual.rows import money

ALGO_TYPE = "CONDITIONAL"


def algo_status(order: Conditional, ledger: MarginLedger) -> str:
    """Its own status, or FINISHED once the order that it placed has ended."""
    return "FINISHED" if order.order_id and not ledger.orders[order.order_id].open else order.status


def algo_row(order: Conditional, ledger: MarginLedger) -> dict[str, object]:
    """A conditional order as GET answers it."""
    a = order.awaited
    placed = ledger.orders.get(order.order_id)
    row: dict[str, object] = {
        "algoId": a.algo_id,
        "clientAlgoId": a.client_id,
        "algoType": ALGO_TYPE,
        "orderType": a.type,
        "symbol": a.symbol,
        "side": a.side,
        "positionSide": "BOTH",
        "timeInForce": "GTC",
        "quantity": text(a.amount),
        "algoStatus": algo_status(order, ledger),
        "actualOrderId": str(order.order_id) if order.order_id else "",
        "actualPrice": money(placed.average if placed else ZERO),
        "triggerPrice": text(a.trigger_price),
        "price": "0",
        "icebergQuantity": None,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "workingType": a.working,
        "priceMatch": "NONE",
        "closePosition": False,
        "priceProtect": False,
        "reduceOnly": a.reduce_only,
        "createTime": a.ts_ms,
        "updateTime": max(order.updated_ms, placed.updated_ms if placed else 0),
        "triggerTime": order.triggered_ms,
        "goodTillDate": 0,
    }
    if a.callback:
        row |= {"callbackRate": text(a.callback), "activatePrice": text(a.activate_price)}
    return row


def cancel_row(order: Conditional) -> dict[str, object]:
    """The answer to a cancel."""
    return {"algoId": order.algo_id, "clientAlgoId": order.awaited.client_id, "code": "200", "msg": "success"}


def algo_update(order: Conditional, ledger: MarginLedger, now_ms: int, status: str) -> dict[str, object]:
    """What the user stream says of a conditional order that changed."""
    a = order.awaited
    placed = ledger.orders.get(order.order_id)
    told: dict[str, object] = {
        "caid": a.client_id,
        "aid": a.algo_id,
        "at": ALGO_TYPE,
        "o": a.type,
        "s": a.symbol,
        "S": a.side,
        "ps": "BOTH",
        "f": "GTC",
        "q": text(a.amount),
        "X": status,
        "ai": str(order.order_id) if order.order_id else "",
        "tp": text(a.trigger_price),
        "p": "0",
        "V": "EXPIRE_MAKER",
        "wt": a.working,
        "pm": "NONE",
        "cp": False,
        "pP": False,
        "R": a.reduce_only,
        "tt": order.triggered_ms,
        "gtd": 0,
    }
    if placed is not None:
        told |= {"ap": money(placed.average), "aq": text(placed.filled), "act": placed.accepted.type}
    if order.reason:
        told["rm"] = order.reason
    return {"e": "ALGO_UPDATE", "T": order.updated_ms, "E": now_ms, "o": told}
