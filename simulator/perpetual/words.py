"""Parameters → the orders of perpetuals they ask for, with the venue's refusals for what does not belong together."""

from __future__ import annotations

from decimal import Decimal

from simulator.matching.conditional import (
    WORKING_TYPES,
    NewConditional,
    is_conditional_type,
    is_working_type,
)
from simulator.matching.contracts import (
    CONTRACT_TIMES,
    ContractTime,
    NewContractOrder,
    is_contract_time,
    is_contract_type,
)
from simulator.matching.types import SIDES, ZERO, Refusal, Side, is_side
from simulator.params import Params, missing

CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
USE_ALGO = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
HEDGE = "Order's position side does not match user's setting."


def new_contract_order(params: Params, order_id: int) -> NewContractOrder:
    """The order that is asked for; `order_id`, which it will get, names it if nobody does. Raises `Refusal`."""
    symbol, side, kind = params.text("symbol"), _side(params), params.text("type")
    if kind in CONDITIONAL:
        raise Refusal(-4120, USE_ALGO)
    if not is_contract_type(kind):
        raise Refusal(-1116, "Invalid orderType.")
    _refuse_hedged(params)
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


def new_conditional(params: Params, algo_id: int) -> NewConditional:
    """The conditional order that is asked for; `algo_id`, which it will get, names it if nobody does.

    Raises `Refusal`, also for what is not played here: those that place limit orders, and `closePosition`.
    """
    side, kind = _side(params), params.text("type")
    if params.text("algoType") != "CONDITIONAL":
        raise Refusal(-1130, "Data sent for parameter 'algoType' is not valid.")
    if not is_conditional_type(kind):
        raise Refusal(-1116, "Invalid orderType.")
    _refuse_hedged(params)
    if flag(params, "closePosition"):
        raise Refusal(-1130, "Data sent for parameter 'closePosition' is not valid.")
    amount = params.decimal("quantity")
    if amount is None:
        raise missing("quantity")
    working = params.maybe("workingType") or WORKING_TYPES[0]
    if not is_working_type(working):
        raise Refusal(-1130, "Data sent for parameter 'workingType' is not valid.")
    trigger, callback = _condition(params, kind)
    return NewConditional(
        symbol=params.text("symbol"),
        side=side,
        type=kind,
        client_id=params.maybe("clientAlgoId") or f"ares-algo-{algo_id:018d}",
        amount=amount,
        trigger_price=trigger,
        working=working,
        reduce_only=flag(params, "reduceOnly"),
        activate_price=params.decimal("activatePrice"),
        callback=callback,
    )


def _condition(params: Params, kind: str) -> tuple[Decimal | None, Decimal]:
    """The trigger price, or by how many percent it trails: one of them is needed, and the other must not be there."""
    trails = kind == "TRAILING_STOP_MARKET"
    needed = "callbackRate" if trails else "triggerPrice"
    foreign = ("triggerPrice", "price") if trails else ("callbackRate", "activatePrice", "price")
    for name in foreign:
        if params.has(name):
            raise Refusal(-1106, f"Parameter '{name}' sent when not required.")
    value = params.decimal(needed)
    if value is None:
        raise missing(needed)
    return (None, value) if trails else (value, ZERO)


def _side(params: Params) -> Side:
    side = params.text("side")
    if not is_side(side):
        raise Refusal(-1117, f"Invalid side. Known: {', '.join(SIDES)}.")
    return side


def _refuse_hedged(params: Params) -> None:
    if (params.maybe("positionSide") or "BOTH") != "BOTH":
        raise Refusal(-4061, HEDGE)


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
