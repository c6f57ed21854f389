"""Orders by hand: what is wished, how it was judged, and how all of that is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.control import Json
from ares.errors import UsageError
from ares.model.market import Side
from ares.model.strategies import MANUAL
from trader.command_log import Outcome
from trader.portfolio.orders import Order, OrderState
from trader.risk import Candidate, Refused, RiskRules, Warned
from trader.risk_now import PricesSeen


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asks for: `quantity` in base; `price` in quote, None for "as the strategies do"."""

    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal | None = None
    strategy: str = MANUAL
    key: str = ""
    """Names the order: the same key is the same order, however often it is asked for."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A wish with everything that is needed to check and send it."""

    wish: Wish
    candidate: Candidate
    prices: PricesSeen
    now_ns: int
    rules: RiskRules
    scale: Decimal
    market_order: bool


def time_in_force(wish: Wish) -> str:
    """A price that a person names is waited for; without one the order takes what is there."""
    return "IOC" if wish.price is None else "GTC"


def order_words(judged: Judged) -> dict[str, Json]:
    """The order as it would be sent; quantity in base, price in quote."""
    wish = judged.wish
    return {
        "symbol": wish.symbol,
        "strategy": wish.strategy,
        "side": wish.side,
        "quantity": f"{wish.quantity:f}",
        "type": "market" if judged.market_order else "limit",
        "time_in_force": time_in_force(wish),
        "price": None if judged.market_order else f"{judged.candidate.price:f}",
    }


def verdict_words(name: str, verdict: object) -> dict[str, Json]:
    """What a rule says, and by which figures."""
    if isinstance(verdict, Refused):
        return {
            "rule": name,
            "verdict": "refused",
            "observed": None if verdict.observed is None else f"{verdict.observed:f}",
            "limit": f"{verdict.limit:f}",
            "unit": verdict.unit,
        }
    return {"rule": name, "verdict": "approved", "observed": None, "limit": None, "unit": None}


def warned_words(warned: Sequence[Warned]) -> list[Json]:
    """The soft limits that are passed."""
    return [
        {"rule": each.rule, "observed": f"{each.observed:f}", "soft": f"{each.soft:f}", "unit": each.unit}
        for each in warned
    ]


def ended(action: str, reason: str) -> dict[str, Json]:
    """That nothing was sent, and why."""
    return {"sent": False, "repeated": False, "action": action, "reason": reason}


def told_of(order: Order, *, repeated: bool) -> Outcome:
    """An order as it stands; `sent` unless it is known never to have stood at the venue."""
    intent = order.intent
    stays_home = order.state is OrderState.REJECTED or (order.state.final and order.venue_order_id is None)
    return {
        "order_id": intent.order_id,
        "symbol": intent.symbol,
        "strategy": intent.strategy,
        "side": intent.side,
        "quantity": f"{order.quantity:f}",
        "price": None if intent.price is None else f"{intent.price:f}",
        "state": order.state.value,
        "filled": f"{order.filled_quantity:f}",
        "filled_cost": f"{order.filled_cost:f}",
        "sent": not stays_home,
        "repeated": repeated,
        "action": intent.side,
        "reason": order.reason,
    }


def repeated(order: Order, wish: Wish) -> Outcome:
    """The order that the key names already. Raises `UsageError` if it is another one than is asked for now."""
    intent = order.intent
    same = (intent.symbol, intent.side, intent.quantity, intent.strategy) == (
        wish.symbol,
        wish.side,
        wish.quantity,
        wish.strategy,
    )
    if not same or (wish.price is not None and intent.price != wish.price):
        raise UsageError(
            f"id = {wish.key!r}: names another order already ({intent.side} {intent.quantity:f} {intent.symbol} "
            f"for {intent.strategy}). Take another id"
        )
    return told_of(order, repeated=True)
