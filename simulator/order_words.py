"""Parameters → the orders they ask for, with the venue's refusals for what does not belong together."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.matching.filters import check_client_id
from simulator.matching.prices import NewPair
from simulator.matching.types import (
    AT_MARKET,
    CONTINGENT,
    SIDES,
    TIMES_IN_FORCE,
    NewOrder,
    Refusal,
    TimeInForce,
    is_order_type,
    is_side,
    is_time_in_force,
)
from simulator.params import Params, missing

TIMED = ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT")


@dataclass(frozen=True, slots=True)
class Names:
    """What the parameters of an order are called."""

    type: str = "type"
    client_id: str = "newClientOrderId"
    price: str = "price"
    stop_price: str = "stopPrice"
    trailing_delta: str = "trailingDelta"
    time_in_force: str = "timeInForce"

    @classmethod
    def of_leg(cls, leg: str) -> Names:
        """`above` or `below`, as in abovePrice."""
        words = ("Type", "ClientOrderId", "Price", "StopPrice", "TrailingDelta", "TimeInForce")
        return cls(*(leg + word for word in words))


PLAIN = Names()
ABOVE = Names.of_leg("above")
BELOW = Names.of_leg("below")


def new_order(params: Params, order_id: int, names: Names = PLAIN) -> NewOrder:
    """The order that is asked for; `order_id`, which it will get, names it if nobody does. Raises `Refusal`."""
    side, kind = params.text("side"), params.text(names.type)
    if not is_side(side):
        raise Refusal(-1117, f"Invalid side. Known: {', '.join(SIDES)}.")
    if not is_order_type(kind):
        raise Refusal(-1116, "Invalid orderType.")
    new = NewOrder(
        params.text("symbol"),
        side,
        kind,
        params.maybe(names.client_id) or _made_up("ares", order_id),
        _time_in_force(params, kind, names),
        params.decimal(names.price),
        params.decimal("quantity"),
        params.decimal("quoteOrderQty"),
        params.decimal(names.stop_price),
        params.integer(names.trailing_delta) or 0,
    )
    _check_shape(new, names)
    return new


def new_pair(params: Params, order_id: int, list_id: int) -> NewPair:
    """The OCO pair that is asked for. Raises `Refusal`."""
    client_id = params.maybe("listClientOrderId") or _made_up("ares-list", list_id)
    check_client_id("listClientOrderId", client_id)
    return NewPair(client_id, new_order(params, order_id, ABOVE), new_order(params, order_id + 1, BELOW))


def _made_up(prefix: str, number: int) -> str:
    return f"{prefix}-{number:018d}"


def _time_in_force(params: Params, kind: str, names: Names) -> TimeInForce:
    value = params.maybe(names.time_in_force)
    if kind not in TIMED:
        if value is not None:
            raise _unwanted(names.time_in_force)
        return "GTC"
    if value is None:
        raise missing(names.time_in_force)
    if not is_time_in_force(value):
        raise Refusal(-1115, f"Invalid timeInForce. Known: {', '.join(TIMES_IN_FORCE)}.")
    return value


def _check_shape(new: NewOrder, names: Names) -> None:
    """Whether the numbers that this type of order needs are there, and no others."""
    contingent = new.type in CONTINGENT
    for value, name in ((new.stop_price, names.stop_price), (new.trailing_delta or None, names.trailing_delta)):
        if value is not None and not contingent:
            raise _unwanted(name)
    if contingent and new.stop_price is None and not new.trailing_delta:
        raise missing(names.stop_price)
    if new.type in AT_MARKET and new.price is not None:
        raise _unwanted(names.price)
    if new.type == "MARKET":
        if (new.amount is None) == (new.quote_amount is None):
            raise missing("quantity")
        return
    if new.quote_amount is not None:
        raise _unwanted("quoteOrderQty")
    if new.amount is None:
        raise missing("quantity")
    if new.price is None and new.type not in AT_MARKET:
        raise missing(names.price)


def _unwanted(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")
