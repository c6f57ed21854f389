"""A position and what a fill does to it: average cost, realised profit, fees, all exact.

The books balance: for every position, quote paid − quote received = cost_basis − realised_quote − adopted cost, to the
last digit, whatever the order of fills. Spot knows no short side: a position never goes below zero; what a venue says
was sold beyond it is booked as sold at zero cost and reported as `excess`, for a real execution cannot be refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from ares.model.market import Side
from trader.portfolio.money import ZERO, to_scale


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution as the venue tells it. `quantity` in base, `cost` in quote, `fee` in `fee_currency`."""

    fill_id: str
    symbol: str
    side: Side
    venue_order_id: str
    quantity: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    fee_currency: str
    maker: bool
    ts_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution of one of our orders. `fee_rate`: quote per unit of the fee's currency, where it is a third one."""

    execution: Execution
    order_id: str
    strategy: str
    correlation_id: str
    received_at_ns: int
    fee_rate: Decimal = ZERO
    trace_id: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """What a strategy holds of one symbol, in base, and what it cost, in quote.

    `seq` counts its changes; `changed_at_ns` grows with each, so that the newest row by time is the newest position.
    """

    symbol: str
    strategy: str
    quantity: Decimal = ZERO
    cost_basis: Decimal = ZERO
    realised_quote: Decimal = ZERO
    fees_quote: Decimal = ZERO
    seq: int = 0
    changed_at_ns: int = 0

    @property
    def average_price(self) -> Decimal:
        """Quote per base, fees included; 0 when flat."""
        return to_scale(self.cost_basis / self.quantity) if self.quantity else ZERO

    def unrealised_quote(self, mark: Decimal) -> Decimal:
        """What closing at `mark` would add to the realised profit, before fees."""
        return to_scale(self.quantity * mark) - self.cost_basis


@dataclass(frozen=True, slots=True)
class Booked:
    """A position after a fill; `excess`: base sold beyond what the book held (0 unless the book was wrong)."""

    position: Position
    excess: Decimal = ZERO


def adopt(position: Position, quantity: Decimal, mark: Decimal, ts_ns: int) -> Position:
    """Take over coins that were there before us, at what they are worth now."""
    return replace(
        position,
        quantity=position.quantity + to_scale(quantity),
        cost_basis=position.cost_basis + to_scale(quantity * mark),
        seq=position.seq + 1,
        changed_at_ns=ts_ns,
    )


def apply_fill(position: Position, fill: Fill) -> Booked:
    """The position after a fill of its symbol."""
    execution = fill.execution
    assert execution.symbol == position.symbol, "a fill changes the position of its own symbol"
    fee_base, fee_quote = _fee(fill)
    quantity, cost = to_scale(execution.quantity), to_scale(execution.cost)
    spent_on_fees = position.fees_quote + fee_quote + to_scale(fee_base * execution.price)
    changed_at_ns = max(execution.ts_ns, position.changed_at_ns + 1)
    changed = replace(position, fees_quote=spent_on_fees, seq=position.seq + 1, changed_at_ns=changed_at_ns)
    if execution.side == "buy":
        received = max(ZERO, quantity - fee_base)
        return Booked(
            replace(changed, quantity=position.quantity + received, cost_basis=position.cost_basis + cost + fee_quote)
        )
    given = quantity + fee_base
    closed = min(given, position.quantity)
    share = _cost_share(position, closed)
    closed_position = replace(
        changed,
        quantity=position.quantity - closed,
        cost_basis=position.cost_basis - share,
        realised_quote=position.realised_quote + cost - fee_quote - share,
    )
    return Booked(closed_position, given - closed)


def _fee(fill: Fill) -> tuple[Decimal, Decimal]:
    """The fee as (base, quote); one in a third currency counts as quote at its rate."""
    execution = fill.execution
    base, _, quote = execution.symbol.partition("/")
    if execution.fee_currency == base:
        return to_scale(execution.fee), ZERO
    if execution.fee_currency == quote:
        return ZERO, to_scale(execution.fee)
    return ZERO, to_scale(execution.fee * fill.fee_rate)


def _cost_share(position: Position, closed: Decimal) -> Decimal:
    """The part of the cost that leaves with `closed`; all of it with the last coin, so that no dust of cost stays."""
    if closed == position.quantity:
        return position.cost_basis
    return to_scale(position.cost_basis * closed / position.quantity)
