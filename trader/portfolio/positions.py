"""A position and what a fill does to it: average and first-in-first-out cost, realised profit, fees, all exact.

The books balance: for every position, quote paid − quote received = cost_basis − realised_quote − adopted cost, to the
last digit, whatever the order of fills, and the same holds of the lots and realised_fifo_quote. A short position is one
below zero; its cost_basis is below zero too: what its sales brought.

Rounded, half-even to ten digits, are: what a venue says in more digits; a fee at its rate; the money of the part that
closes where a fill passes through zero; the average cost that leaves with a part of a position; what is left of a lot
cost. All else is sums and differences of these.

Spot knows no short side: a position never goes below zero; what a venue says was sold beyond it is booked as sold at
zero cost and reported as `excess`, for a real execution cannot be refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

from ares.model.market import Side
from trader.portfolio.lots import LOTS_MAX, Lots, close_lots, cost_of, open_lot
from trader.portfolio.money import ZERO, product, share, to_scale

SYMBOLS_MAX = 10_000
"""Of so many symbols it is remembered what they are made of: every check of every order asks."""


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

    `realised_quote` goes by average cost, `realised_fifo_quote` by the oldest lot first; neither holds funding.
    `fees_quote` is all fees, valued in quote and less rebates: they are in the profits already, by what was received or
    paid. Of it, `fees_base` was paid in base, `fees_other_quote` in a third currency, and `rebates_quote` came back.

    `open_fees_quote` is what of `cost_basis` is fees: a contract's were paid when they were executed, apart from it.

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
    realised_fifo_quote: Decimal = ZERO
    funding_quote: Decimal = ZERO
    fees_base: Decimal = ZERO
    fees_other_quote: Decimal = ZERO
    rebates_quote: Decimal = ZERO
    lots: Lots = ()
    open_fees_quote: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Quote per base, fees included; 0 when flat."""
        return share(self.cost_basis, Decimal(1), self.quantity) if self.quantity else ZERO

    @property
    def cost_fifo(self) -> Decimal:
        """What is held cost, in quote, if the oldest always went first."""
        return cost_of(self.lots)

    def unrealised_quote(self, mark: Decimal) -> Decimal:
        """What closing at `mark` would add to the realised profit, before fees."""
        return product(self.quantity, mark) - self.cost_basis


@dataclass(frozen=True, slots=True)
class Booked:
    """A position after a fill; `excess`: base sold beyond what the book held (0 unless the book was wrong)."""

    position: Position
    excess: Decimal = ZERO


@dataclass(frozen=True, slots=True)
class Fee:
    """A fee by what it was paid in: base, or quote; of the latter `other_quote` is a third currency's worth."""

    base: Decimal
    quote: Decimal
    other_quote: Decimal

    def worth(self, price: Decimal) -> Decimal:
        """All of it in quote, whatever it was paid in: base counts at the fill's price."""
        return self.quote + product(self.base, price)


@lru_cache(SYMBOLS_MAX)
def currencies(symbol: str) -> tuple[str, str]:
    """Base and quote of a pair or a perpetual ("BTC/USDT", "BTC/USDT:USDT")."""
    base, _, rest = symbol.partition("/")
    return base, rest.partition(":")[0]


@lru_cache(SYMBOLS_MAX)
def is_linear(symbol: str) -> bool:
    """Whether it is a contract settled in its quote currency: what it is worth is not paid when it is bought."""
    _, quote = currencies(symbol)
    return symbol.partition(":")[2] == quote


def adopt(position: Position, quantity: Decimal, mark: Decimal, ts_ns: int) -> Position:
    """Take over coins that were there before us, at what they are worth now."""
    assert position.quantity >= 0, "nobody adopts into a short position"
    adopted, cost = to_scale(quantity), product(quantity, mark)
    return replace(
        position,
        quantity=position.quantity + adopted,
        cost_basis=position.cost_basis + cost,
        lots=open_lot(position.lots, adopted, cost),
        seq=position.seq + 1,
        changed_at_ns=ts_ns,
    )


def pay_funding(position: Position, amount: Decimal, ts_ns: int) -> Position:
    """The position after a funding payment: `amount` in quote, above 0 where it was received."""
    return replace(
        position,
        funding_quote=position.funding_quote + to_scale(amount),
        seq=position.seq + 1,
        changed_at_ns=max(ts_ns, position.changed_at_ns + 1),
    )


def apply_fill(position: Position, fill: Fill, *, shorts: bool = False, lots_max: int = LOTS_MAX) -> Booked:
    """The position after a fill of its symbol; `shorts`: whether the instrument can be held below zero."""
    execution = fill.execution
    assert execution.symbol == position.symbol, "a fill changes the position of its own symbol"
    fee = fee_of(fill)
    sign = 1 if execution.side == "buy" else -1
    moved = sign * to_scale(execution.quantity) - fee.base
    money = -sign * to_scale(execution.cost) - fee.quote
    changed = _counted(position, fee, execution)
    opens = moved > 0 or (moved < 0 and shorts)
    if opens and (not position.quantity or _same_side(moved, position.quantity)):
        return Booked(_with_open_fees(_opened(changed, moved, money, lots_max), fee.quote))
    closed = min(abs(moved), abs(position.quantity))
    beyond = abs(moved) - closed
    flips = bool(beyond) and shorts
    of_closing = share(money, closed, abs(moved)) if flips else money
    after = _closed(changed, closed, of_closing)
    if flips:
        opened = _opened(after, beyond.copy_sign(moved), money - of_closing, lots_max)
        return Booked(_with_open_fees(opened, share(fee.quote, beyond, abs(moved))))
    return Booked(after, beyond)


def after_fill(position: Position, fill: Fill) -> Booked:
    """The same by what the symbol is: contracts can be held below zero, coins cannot."""
    return apply_fill(position, fill, shorts=is_linear(position.symbol))


def fee_of(fill: Fill) -> Fee:
    """What a fill cost in fees; one in a third currency counts as quote at its rate, a rebate is below 0."""
    execution = fill.execution
    base, quote = currencies(execution.symbol)
    if execution.fee_currency == base:
        return Fee(to_scale(execution.fee), ZERO, ZERO)
    if execution.fee_currency == quote:
        return Fee(ZERO, to_scale(execution.fee), ZERO)
    worth = product(execution.fee, fill.fee_rate)
    return Fee(ZERO, worth, worth)


def _counted(position: Position, fee: Fee, execution: Execution) -> Position:
    """The position with one more change and its fee in the sums that no profit is worked out from."""
    worth = fee.worth(execution.price)
    return replace(
        position,
        fees_quote=position.fees_quote + worth,
        fees_base=position.fees_base + fee.base,
        fees_other_quote=position.fees_other_quote + fee.other_quote,
        rebates_quote=position.rebates_quote + max(ZERO, -worth),
        seq=position.seq + 1,
        changed_at_ns=max(execution.ts_ns, position.changed_at_ns + 1),
    )


def _same_side(one: Decimal, other: Decimal) -> bool:
    return (one > 0) == (other > 0)


def _opened(position: Position, moved: Decimal, money: Decimal, lots_max: int) -> Position:
    """More on the side that it is on, for the money that it took (below 0) or brought."""
    return replace(
        position,
        quantity=position.quantity + moved,
        cost_basis=position.cost_basis - money,
        lots=open_lot(position.lots, moved, -money, lots_max),
    )


def _with_open_fees(position: Position, fee: Decimal) -> Position:
    return replace(position, open_fees_quote=position.open_fees_quote + fee)


def _closed(position: Position, closed: Decimal, money: Decimal) -> Position:
    """Less of what it holds; the money that it brought or took (below 0), less what left had cost, is realised."""
    cost = _share_of(position.cost_basis, position, closed)
    fees = _share_of(position.open_fees_quote, position, closed)
    left = close_lots(position.lots, closed)
    return replace(
        position,
        quantity=position.quantity - closed.copy_sign(position.quantity),
        cost_basis=position.cost_basis - cost,
        open_fees_quote=position.open_fees_quote - fees,
        realised_quote=position.realised_quote + money - cost,
        realised_fifo_quote=position.realised_fifo_quote + money - (position.cost_fifo - cost_of(left)),
        lots=left,
    )


def _share_of(whole: Decimal, position: Position, closed: Decimal) -> Decimal:
    """The part of it that leaves with `closed`; all of it with the last coin, so that no dust of cost stays."""
    if closed == abs(position.quantity):
        return whole
    return share(whole, closed, abs(position.quantity))
