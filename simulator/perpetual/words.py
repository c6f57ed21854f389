"""Parameters → the orders of perpetuals they ask for, with the venue's refusals for what does not belong together."""

from __future__ import annotations

from simulator.matching.contracts import (
    CONTRACT_TIMES,
    ContractTime,
    NewContractOrder,
    is_contract_time,
    is_contract_type,
)
from simulator.matching.types import SIDES, Refusal, is_side
from simulator.params import Params, missing

CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
USE_ALGO = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
HEDGE = "Order's position side does not match user's setting."


def new_contract_order(params: Params, order_id: int) -> NewContractOrder:
    """The order that is asked for; `order_id`, which it will get, names it if nobody does. Raises `Refusal`."""
    symbol, side, kind = params.text("symbol"), params.text("side"), params.text("type")
    if not is_side(side):
        raise Refusal(-1117, f"Invalid side. Known: {', '.join(SIDES)}.")
    if kind in CONDITIONAL:
        raise Refusal(-4120, USE_ALGO)
    if not is_contract_type(kind):
        raise Refusal(-1116, "Invalid orderType.")
    if (params.maybe("positionSide") or "BOTH") != "BOTH":
        raise Refusal(-4061, HEDGE)
    amount, price = params.decimal("quantity"), params.decimal("price")
    if amount is None:
        raise missing("quantity")
    if kind == "LIMIT" and price is None:
        raise missing("price")
    if kind == "MARKET" and price is not None:
        raise Refusal(-1106, "Parameter 'price' sent when not required.")
    client_id = params.maybe("newClientOrderId") or f"ares-{order_id:018d}"
    reduce_only = flag(params, "reduceOnly")
    time_in_force = _time_in_force(params, kind)
    return NewContractOrder(symbol, side, kind, client_id, amount, price, time_in_force, reduce_only)


def flag(params: Params, name: str) -> bool:
    """`true` or `false`, in any case; false when absent. Raises `Refusal`."""
    value = (params.maybe(name) or "false").lower()
    if value not in ("true", "false"):
        raise Refusal(-1130, f"Data sent for parameter '{name}' is not valid.")
    return value == "true"


def _time_in_force(params: Params, kind: str) -> ContractTime:
    value = params.maybe("timeInForce")
    if kind == "MARKET":
        if value is not None:
            raise Refusal(-1106, "Parameter 'timeInForce' sent when not required.")
        return "GTC"
    if value is None:
        raise missing("timeInForce")
    if not is_contract_time(value):
        raise Refusal(-1115, f"Invalid timeInForce. Known: {', '.join(CONTRACT_TIMES)}.")
    return value
