"""What the user stream says: orders, order lists and balances, in the venue's one-letter words."""

from __future__ import annotations

from simulator.desk import ListStatus
from simulator.matching import Event, Ledger, Order, OrderList
from simulator.matching.types import Amended, Closed, Filled
from simulator.order_rows import text


def execution_report(event: Event, order: Order, execution_id: int, now_ms: int) -> dict[str, object]:
    """What happened to an order. A trigger is told as NEW once more, with `w`: now it is on the book."""
    a = order.accepted
    fill = event if isinstance(event, Filled) else None
    cancel_id = event.cancel_id if isinstance(event, Closed) else ""
    report: dict[str, object] = {
        "e": "executionReport",
        "E": now_ms,
        "s": a.symbol,
        "c": cancel_id or a.client_id,
        "C": a.client_id if cancel_id else "",
        "S": a.side,
        "o": a.type,
        "f": a.time_in_force,
        "q": text(a.amount),
        "p": text(a.price),
        "P": text(a.stop_price),
        "F": "0.00000000",
        "g": a.list_id,
        "x": _execution_type(event),
        "X": order.status,
        "r": "NONE",
        "i": a.order_id,
        "I": execution_id,
        "l": text(fill.amount) if fill else "0.00000000",
        "z": text(order.filled),
        "L": text(fill.price) if fill else "0.00000000",
        "n": text(fill.fee) if fill else "0",
        "N": fill.fee_asset if fill else None,
        "T": event.ts_ms,
        "t": fill.trade_id if fill else -1,
        "w": order.resting,
        "m": fill.maker if fill else False,
        "O": a.ts_ms,
        "Z": text(order.filled_cost),
        "Y": text(fill.price * fill.amount) if fill else "0.00000000",
        "Q": text(a.quote_amount),
        "V": "NONE",
    }
    if order.working:
        report["W"] = order.working_ms
    if a.trailing_delta:
        report |= {"d": a.trailing_delta, "D": order.trailing_ms}
    if order.reason:
        report["eR"] = order.reason
    return report


def list_status(its_list: OrderList, status: ListStatus, ts_ms: int, now_ms: int) -> dict[str, object]:
    """What became of an order list."""
    return {
        "e": "listStatus",
        "E": now_ms,
        "s": its_list.symbol,
        "g": its_list.list_id,
        "c": "OCO",
        "l": status,
        "L": "EXECUTING" if its_list.open else "ALL_DONE",
        "r": "NONE",
        "C": its_list.client_id,
        "T": ts_ms,
        "O": [{"s": its_list.symbol, "i": leg.order_id, "c": leg.accepted.client_id} for leg in its_list.legs],
    }


def account_position(ledger: Ledger, order: Order, now_ms: int) -> dict[str, object]:
    """The balances an order touched, as they are now."""
    rules = ledger.rules[order.accepted.symbol]
    balances = [
        {"a": asset, "f": text(ledger.balances[asset].free), "l": text(ledger.balances[asset].locked)}
        for asset in (rules.base, rules.quote)
    ]
    return {"e": "outboundAccountPosition", "E": now_ms, "u": now_ms, "B": balances}


def _execution_type(event: Event) -> str:
    if isinstance(event, Filled):
        return "TRADE"
    if isinstance(event, Amended):
        return "REPLACED"
    return event.status if isinstance(event, Closed) else "NEW"
