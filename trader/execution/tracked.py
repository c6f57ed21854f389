"""An order as the desk looks after it, and what its intent means for rules, the venue and other orders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent, Order, Source
from trader.risk import Pending
from trader.venues.gateway import OrderRequest

PROTECTION: Source = "protection"


def pending_of(intents: Iterable[tuple[Intent, Decimal]]) -> tuple[Pending, ...]:
    """What of orders may still happen, as rules see it: intents with their quantities, in base.

    Of a pair only one leg is ever executed whole: it counts once, by the leg of which most may be.
    """
    most: dict[str, tuple[Intent, Decimal]] = {}
    for intent, remaining in intents:
        name = intent.list_id or intent.order_id
        if remaining > (most[name][1] if name in most else ZERO):
            most[name] = (intent, remaining)
    return tuple(
        Pending(i.strategy, i.symbol, i.side, remaining, i.price or i.mark, protects=i.source == PROTECTION)
        for i, remaining in most.values()
    )


def request_of(intent: Intent, *, reduce_only: bool) -> OrderRequest:
    """What the venue is told of an order."""
    return OrderRequest(
        client_order_id=intent.order_id,
        symbol=intent.symbol,
        side=intent.side,
        type=intent.type,
        time_in_force=intent.time_in_force,
        quantity=intent.quantity,
        price=intent.price,
        reduce_only=reduce_only,
        stop_price=intent.stop_price,
        trailing_bips=intent.trailing_bips,
    )


def excludes(one: Intent, other: Intent) -> bool:
    """Whether an order under way keeps another of its symbol and strategy from being asked for.

    Two that a decision asked for never go side by side. Nor do two sells, whoever asked: what one of them may sell the
    other must not. So an order that protects a position gives way, and is seen to be gone, before anything is sold.
    """
    if one.key != other.key:
        return False
    return PROTECTION not in (one.source, other.source) or one.side == other.side == "sell"


@dataclass(slots=True)
class Tracked:
    """An order under our eyes.

    `unsent`: committed, and its task will send it in a moment; `sending`: its task waits for the venue's answer. Nobody
    else touches it then. `looks`: how often the venue showed nothing; `doubt_since_ns`: since when we ask.
    """

    order: Order
    unsent: bool = False
    sending: bool = False
    looks: int = 0
    doubt_since_ns: int = 0
