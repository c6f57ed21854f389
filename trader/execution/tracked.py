"""An order as the desk looks after it, and what its intent means for rules, the venue and other orders."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND
from trader.portfolio.money import ZERO
from trader.portfolio.orders import Intent, Order, Source
from trader.portfolio.positions import is_linear
from trader.risk import Pending, Sent
from trader.venues.gateway import OrderRequest

PROTECTION: Source = "protection"
SENT_S = 3_600
"""Orders of how long are remembered for limits on how often and how soon again."""


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


def sent_of(committed: deque[Intent], reserved: Iterable[Intent], now_ns: int, within_s: int) -> tuple[Sent, ...]:
    """Orders that were committed within these seconds, or are being, with their ages, as rules see them.

    The oldest of `committed`, which come first, are let go of after `SENT_S`: who decides often must not look through
    them each time.
    """
    while committed and now_ns - committed[0].decided_at_ns >= SENT_S * NANOS_PER_SECOND:
        committed.popleft()
    since_ns = now_ns - min(within_s, SENT_S) * NANOS_PER_SECOND
    return tuple(
        Sent(i.strategy, i.symbol, i.side, i.quantity, Decimal(max(0, now_ns - i.decided_at_ns)) / NANOS_PER_SECOND)
        for i in (*committed, *reserved)
        if i.decided_at_ns > since_ns
    )


def protects_contract(intent: Intent) -> bool:
    """Whether an order protects a position of a contract: then it must open nothing, whatever else is under way."""
    return intent.source == PROTECTION and is_linear(intent.symbol)


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

    Two that a decision asked for never go side by side. Nor do two of one side where one protects, whoever asked: what
    it may close the other must not. So it gives way, and is seen to be gone, before anything of a position is closed.
    """
    if one.key != other.key:
        return False
    return PROTECTION not in (one.source, other.source) or one.side == other.side


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
