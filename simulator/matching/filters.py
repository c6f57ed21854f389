"""What the venue checks before it looks at the market: form, grid, size, worth. Codes and texts are Binance's."""

from __future__ import annotations

import re
from decimal import Decimal

from simulator.matching.types import NewOrder, Refusal, Rules

DECIMALS_MAX = 8
CLIENT_ID = re.compile(r"[\.A-Z:/a-z0-9_-]{1,36}")
CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"


def check(order: NewOrder, rules: Rules) -> None:
    """Raises `Refusal` for the first thing that is wrong."""
    check_client_id("newClientOrderId", order.client_id)
    if order.price is not None:
        _decimals("price", order.price)
        _price(order.price, rules)
    if order.amount is not None:
        _decimals("quantity", order.amount)
        _amount(order.amount, rules)
        if order.price is not None and order.price * order.amount < rules.cost_min:
            raise failed("NOTIONAL")
    if order.stop_price is not None:
        _decimals("stopPrice", order.stop_price)
        _price(order.stop_price, rules)
    if order.trailing_delta and not rules.trailing_delta_min <= order.trailing_delta <= rules.trailing_delta_max:
        raise failed("TRAILING_DELTA")
    if order.quote_amount is not None:
        _decimals("quoteOrderQty", order.quote_amount)
        if order.quote_amount < rules.cost_min:
            raise failed("NOTIONAL")


def check_smaller(amount: Decimal, price: Decimal, rules: Rules) -> None:
    """The filters for a reduced order. Raises `Refusal`."""
    _decimals("newQty", amount)
    _amount(amount, rules)
    if price and price * amount < rules.cost_min:
        raise failed("NOTIONAL")


def check_client_id(name: str, value: str) -> None:
    """Raises `Refusal` unless the venue takes it as a client id."""
    if not CLIENT_ID.fullmatch(value):
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{CLIENT_ID_RANGE}'.")


def failed(name: str) -> Refusal:
    """The refusal of a symbol's filter."""
    return Refusal(-1013, f"Filter failure: {name}")


def _decimals(name: str, value: Decimal) -> None:
    exponent = value.normalize().as_tuple().exponent
    if not isinstance(exponent, int):
        raise Refusal(-1100, f"Illegal characters found in parameter '{name}'.")
    if exponent < -DECIMALS_MAX:
        raise Refusal(-1111, f"Parameter '{name}' has too much precision.")


def _price(price: Decimal, rules: Rules) -> None:
    if price < rules.tick or price > rules.price_max or price % rules.tick != 0:
        raise failed("PRICE_FILTER")


def _amount(amount: Decimal, rules: Rules) -> None:
    if amount < max(rules.step, rules.amount_min) or amount > rules.amount_max or amount % rules.step != 0:
        raise failed("LOT_SIZE")
