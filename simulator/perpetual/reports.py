"""What the user stream tells: ORDER_TRADE_UPDATE of every event of an order, ACCOUNT_UPDATE of what moved money."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from simulator.matching.contracts import ContractOrder, MarginEvent, Position
from simulator.matching.margin_ledger import MarginLedger
from simulator.matching.types import Closed, Filled
from simulator.order_rows import text
from simulator.perpetual.rows import money

Reason = Literal["ORDER", "FUNDING_FEE", "INSURANCE_CLEAR"]


def order_update(event: MarginEvent, order: ContractOrder, now_ms: int) -> dict[str, object]:
    """What happened to an order. A liquidation's execution is CALCULATED."""
    a = order.accepted
    done = order.executions[-1] if isinstance(event, Filled) else None
    report: dict[str, object] = {
        "s": a.symbol,
        "c": a.client_id,
        "S": a.side,
        "o": "LIQUIDATION" if a.forced else a.type,
        "f": a.time_in_force,
        "q": text(a.amount),
        "p": text(a.price),
        "ap": money(order.average),
        "sp": "0",
        "x": _execution_type(event, order),
        "X": order.status,
        "i": a.order_id,
        "l": text(done.fill.amount) if done else "0",
        "z": text(order.filled),
        "L": text(done.fill.price) if done else "0",
        "T": event.ts_ms,
        "t": done.fill.trade_id if done else 0,
        "b": "0",
        "a": "0",
        "m": done.fill.maker if done else False,
        "R": a.reduce_only,
        "wt": "CONTRACT_PRICE",
        "ot": "LIQUIDATION" if a.forced else a.type,
        "ps": "BOTH",
        "cp": False,
        "rp": money(done.realized) if done else "0",
        "pP": False,
        "V": "EXPIRE_MAKER",
        "pm": "NONE",
        "gtd": 0,
    }
    if done is not None:
        report |= {"N": done.fill.fee_asset, "n": money(done.fill.fee)}
    return {"e": "ORDER_TRADE_UPDATE", "E": now_ms, "T": event.ts_ms, "o": report}


def account_update(
    ledger: MarginLedger, reason: Reason, positions: Sequence[tuple[Position, Decimal]], times: tuple[int, int]
) -> dict[str, object]:
    """The wallet as it is now, and these positions with what is not realised of them.

    `times`: of the event and of the message. Funding of a crossed position is told without it, as documented.
    """
    at_ms, now_ms = times
    balance = {"a": ledger.asset, "wb": money(ledger.wallet), "cw": money(ledger.wallet), "bc": "0"}
    changed = [
        {
            "s": position.symbol,
            "pa": text(position.amount),
            "ep": money(position.entry),
            "bep": money(position.entry),
            "cr": money(position.realized),
            "up": money(unrealized),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
        }
        for position, unrealized in positions
    ]
    return {"e": "ACCOUNT_UPDATE", "E": now_ms, "T": at_ms, "a": {"m": reason, "B": [balance], "P": changed}}


def config_update(symbol: str, leverage: int, now_ms: int) -> dict[str, object]:
    """A symbol's leverage changed."""
    return {"e": "ACCOUNT_CONFIG_UPDATE", "E": now_ms, "T": now_ms, "ac": {"s": symbol, "l": leverage}}


def _execution_type(event: MarginEvent, order: ContractOrder) -> str:
    if isinstance(event, Filled):
        return "CALCULATED" if order.accepted.forced else "TRADE"
    return event.status if isinstance(event, Closed) else "NEW"
