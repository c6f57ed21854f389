"""Which orders of ours open nothing: by their strategy's position, and by the account's as a venue knows it."""

from __future__ import annotations

from collections.abc import Iterable

from trader.portfolio.legs import only_closes
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent, Order
from trader.portfolio.portfolio import Portfolio
from trader.portfolio.positions import is_linear


def closes_own(intent: Intent, book: Portfolio) -> bool:
    """Whether an order only closes what its strategy holds."""
    held = book.position(intent.symbol, intent.strategy).quantity
    return only_closes(intent.symbol, held, intent.side, intent.quantity)


def only_reduces(intent: Intent, book: Portfolio, under_way: Iterable[Order]) -> bool:
    """Whether the venue may be told that an order must open nothing, contracts only.

    A venue knows one position of the account, the sum of all strategies: an order that closes its strategy's may open
    there. Others that are `under_way` on its side may come first, so they count as executed.
    """
    if not is_linear(intent.symbol) or not closes_own(intent, book):
        return False
    before = (
        order.remaining
        for order in under_way
        if order.intent.order_id != intent.order_id
        and (order.intent.symbol, order.intent.side) == (intent.symbol, intent.side)
    )
    reach = intent.quantity + sum(before, ZERO)
    return only_closes(intent.symbol, book.quantity(intent.symbol), intent.side, reach)
