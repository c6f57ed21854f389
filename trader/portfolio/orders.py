"""An order's life as a pure state machine.

    INTENDED ─ committed in the journal, perhaps sent
      └▶ SUBMITTED ─ handed to the network
           ├▶ ACCEPTED ─▶ PARTIALLY_FILLED ─▶ FILLED
           ├▶ REJECTED, CANCELED, EXPIRED
           └▶ UNKNOWN ─ no answer: may or may not stand at the venue, counted at worst case

UNKNOWN can follow every state that is not final, and every state but INTENDED and SUBMITTED can follow it, for only
the venue's evidence resolves it. Final states never change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from ares.model.market import Side
from trader.portfolio.money import ZERO
from trader.portfolio.positions import Execution

OrderType = Literal[
    "limit", "market", "limit_maker", "stop_loss", "stop_loss_limit", "take_profit", "take_profit_limit"
]
"""`limit_maker` is refused rather than that it takes. The last four wait until the market trades at their trigger, then
take what there is (`stop_loss`, `take_profit`) or not beyond a limit. A `stop_loss` that trails is a trailing stop.
"""
TIMED: frozenset[OrderType] = frozenset({"limit", "stop_loss_limit", "take_profit_limit"})
"""Types that are told for how long they are in force."""
AMEND_ASKED, AMENDED = "amend_asked", "amended"
"""Events of an order that the venue was asked to make smaller, and did; what the first asked for is its reason."""
Source = Literal["signal", "flatten", "manual", "protection"]


class OrderState(StrEnum):
    """Where an order is in its life."""

    INTENDED = "INTENDED"
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    UNKNOWN = "UNKNOWN"

    @property
    def final(self) -> bool:
        return self in _FINAL


_FINAL = frozenset({OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED})
STANDING = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED})
_AT_VENUE = frozenset({OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED, OrderState.UNKNOWN}) | _FINAL
LEGAL: dict[OrderState, frozenset[OrderState]] = {
    # An intent may end unsent (CANCELED) or be found at the venue after a crash, by way of UNKNOWN.
    OrderState.INTENDED: frozenset({OrderState.SUBMITTED, OrderState.UNKNOWN, OrderState.CANCELED}),
    OrderState.SUBMITTED: _AT_VENUE,
    OrderState.UNKNOWN: _AT_VENUE - {OrderState.UNKNOWN},
    OrderState.ACCEPTED: _AT_VENUE - {OrderState.ACCEPTED, OrderState.REJECTED},
    OrderState.PARTIALLY_FILLED: _AT_VENUE - {OrderState.ACCEPTED, OrderState.REJECTED},
    **dict.fromkeys(_FINAL, frozenset()),
}


class IllegalTransition(Exception):
    """A step that an order in this state cannot take: a programmer's error, refused before it is written."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What we decided to ask for, and why. `quantity` in base; `price` (quote) is None for one at market.

    `stop_price` (quote) is what an order waits for; `trailing_bips` how far below the highest price since then (above
    the lowest, for a buy) it is triggered, in 1/10,000. `list_id` names a pair of which one leg ends the other.
    `trace_id` leads to the minute of ticks that the decision rests on; empty where it rests on none.
    """

    order_id: str
    account: str
    venue: str
    symbol: str
    strategy: str
    version: int
    side: Side
    type: OrderType
    time_in_force: str
    quantity: Decimal
    price: Decimal | None
    mark: Decimal
    source: Source
    cycle_id: str
    correlation_id: str
    decided_at_ns: int
    signal_known_at_ns: int | None = None
    trace_id: str = ""
    stop_price: Decimal | None = None
    trailing_bips: int = 0
    list_id: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """(symbol, strategy): whose position it changes."""
        return self.symbol, self.strategy


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an order's life; figures are totals up to now, None keeps what was known.

    `quantity`: how much it asks for since it was amended, what was filled included.
    """

    event: str
    state: OrderState
    ts_ns: int
    venue_order_id: str | None = None
    filled_quantity: Decimal | None = None
    filled_cost: Decimal | None = None
    reason: str | None = None
    quantity: Decimal | None = None


@dataclass(frozen=True, slots=True)
class OrderReport:
    """An order as the venue tells it; `executions` only where the answer carried them."""

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    state: OrderState
    quantity: Decimal
    filled_quantity: Decimal
    filled_cost: Decimal
    ts_ns: int
    executions: tuple[Execution, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    """An intent and where it stands; `seq` counts its steps as the journal does, `changed_at_ns` grows with them.

    `amended` is what it asks for, in base, since the venue made it smaller.
    """

    intent: Intent
    state: OrderState
    seq: int
    changed_at_ns: int
    venue_order_id: str | None = None
    filled_quantity: Decimal = ZERO
    filled_cost: Decimal = ZERO
    reason: str | None = None
    amended: Decimal | None = None

    @property
    def quantity(self) -> Decimal:
        """What it asks for now, in base, what was filled included."""
        return self.intent.quantity if self.amended is None else self.amended

    @property
    def remaining(self) -> Decimal:
        """What may still be executed, in base; 0 once final."""
        return ZERO if self.state.final else max(ZERO, self.quantity - self.filled_quantity)


def intended(intent: Intent) -> tuple[Order, Step]:
    """The first step of every order."""
    step = Step("intended", OrderState.INTENDED, intent.decided_at_ns)
    return Order(intent, OrderState.INTENDED, 1, step.ts_ns), step


def advance(order: Order, step: Step) -> Order:
    """The order after a step. Raises `IllegalTransition`.

    A step to the state an order is in already must bring news: more filled, or an event that changes no state.
    """
    note = step.state is order.state and not order.state.final
    if not note and step.state not in LEGAL[order.state]:
        raise IllegalTransition(f"{order.intent.order_id}: {order.state} → {step.state} ({step.event})")
    filled = order.filled_quantity if step.filled_quantity is None else step.filled_quantity
    if filled < order.filled_quantity:
        raise IllegalTransition(f"{order.intent.order_id}: filled {order.filled_quantity} → {filled}")
    if step.quantity is not None and not filled <= step.quantity <= order.quantity:
        raise IllegalTransition(f"{order.intent.order_id}: asks for {order.quantity} → {step.quantity}")
    return replace(
        order,
        state=step.state,
        seq=order.seq + 1,
        changed_at_ns=step.ts_ns,
        venue_order_id=step.venue_order_id or order.venue_order_id,
        filled_quantity=filled,
        filled_cost=order.filled_cost if step.filled_cost is None else step.filled_cost,
        reason=order.reason if step.event == AMEND_ASKED else step.reason or order.reason,
        amended=order.amended if step.quantity is None else step.quantity,
    )


def step_for(order: Order, report: OrderReport, ts_ns: int) -> Step | None:
    """The step that a venue's report means for an order; None when it is old news.

    Reports may come twice and in any order: an order only grows more filled, smaller and more final.
    """
    if order.state.final or report.filled_quantity < order.filled_quantity:
        return None
    state = report.state
    if state is OrderState.ACCEPTED and report.filled_quantity > 0:
        state = OrderState.PARTIALLY_FILLED
    more = report.filled_quantity > order.filled_quantity
    smaller = report.filled_quantity <= report.quantity < order.quantity
    if state is order.state and not more and not smaller:
        return None
    if state is not order.state and state not in LEGAL[order.state]:
        return None
    return Step(
        event=AMENDED if smaller and state is order.state and not more else state.value.lower(),
        state=state,
        ts_ns=ts_ns,
        venue_order_id=report.venue_order_id,
        filled_quantity=report.filled_quantity,
        filled_cost=report.filled_cost,
        quantity=report.quantity if smaller else None,
    )
