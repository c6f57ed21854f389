"""What became of an order by hand, in a sentence: what was not sent is told as an error. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from api.commands import OrderBody
from api.console.trader import said_of
from ares.control import Json
from ares.errors import UsageError

_AT_MARKET: Final = "at the market"


def order_words(order: OrderBody) -> str:
    """An order as one would say it.

    >>> order_words(OrderBody(symbol="BTC/USDT", side="buy", quantity="0.1", price="61500"))
    'buy 0.1 BTC/USDT at 61500'
    """
    price = _AT_MARKET if order.price is None else f"at {order.price}"
    return f"{order.side} {order.quantity} {order.symbol} {price}"


def sent(answer: Mapping[str, Json], order_id: str = "") -> str:
    """How an order stands, and which limits it is near; `order_id`: the one that was changed.

    Raises `UsageError` with why, and by which figures, where nothing was sent.
    """
    now, why = said_of(answer, "order_id") or order_id, said_of(answer, "reason")
    cancelled = f"Order {order_id} is cancelled. " if answer.get("cancelled") is True else ""
    if said_of(answer, "action") == "refuse":
        raise UsageError(f"{cancelled}Refused: {_figures(answer) or why}.")
    if answer.get("sent") is not True:
        state = said_of(answer, "state")
        raise UsageError(f"{cancelled}Not sent{f', order {now} is {state}' if state else ''}: {why or 'no reason'}.")
    state = said_of(answer, "state") or "sent"
    place = f", it stands for {order_id}" if order_id and now != order_id else ""
    told = [f"{cancelled}Order {now}: {state}{place}.", *([f"{why}."] if why else []), *warned(answer)]
    return " ".join(told)


def warned(answer: Mapping[str, Json]) -> Sequence[str]:
    """The limits that an order comes near to, a sentence each."""
    found = answer.get("warnings")
    return [
        f"Near a limit: {each.get('rule')} saw {each.get('observed')} {each.get('unit')}, "
        f"it warns from {each.get('soft')}."
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict)
    ]


def _figures(answer: Mapping[str, Json]) -> str:
    observed = said_of(answer, "observed")
    if not observed:
        return ""
    unit, rule = said_of(answer, "unit"), said_of(answer, "rule")
    return f"{rule} saw {observed} {unit}, allowed are {said_of(answer, 'limit')}"
