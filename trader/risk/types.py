"""What rules look at, and what they answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from ares.model.market import Side
from trader.portfolio.legs import closed_by
from trader.portfolio.money import ZERO
from trader.portfolio.positions import is_linear

Cell = tuple[str, str]
"""(symbol, strategy)"""
ONE = Decimal(1)


class TradingState(StrEnum):
    """ACTIVE: all orders. REDUCING: only such that shrink a position. HALTED: none but a flatten that was ordered."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    HALTED = "HALTED"


@dataclass(frozen=True, slots=True)
class Approved:
    """Nothing speaks against it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Which rule said no, what it saw, what it allows, in which unit. `observed` None: it could not be known."""

    rule: str
    observed: Decimal | None
    limit: Decimal
    unit: str


Verdict = Approved | Refused
APPROVED = Approved()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a limit bounds, as it would be with the order. `observed` None: the data to know it are missing."""

    observed: Decimal | None
    limit: Decimal
    unit: str

    def verdict(self, rule: str) -> Verdict:
        """At the limit is within it; what cannot be known is not."""
        if self.observed is not None and self.observed <= self.limit:
            return APPROVED
        return Refused(rule, self.observed, self.limit, self.unit)


@dataclass(frozen=True, slots=True)
class Warned:
    """A soft limit that an order passes: nothing is refused. `soft` in the unit of `observed`."""

    rule: str
    observed: Decimal
    soft: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """An order that might be sent. `quantity` in base; `price` is the worst we would take, in quote per base."""

    strategy: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Pending:
    """An order that is not settled: open, UNKNOWN, or filled but not booked; `remaining` may still happen.

    One that `protects` a position opens nothing, and gives way before anything else of it is closed.
    """

    strategy: str
    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal
    protects: bool = False


@dataclass(frozen=True, slots=True)
class Sent:
    """An order that was committed lately, and how long ago, seconds."""

    strategy: str
    symbol: str
    side: Side
    quantity: Decimal
    age_s: Decimal


@dataclass(frozen=True, slots=True)
class RiskState:
    """Everything a rule may look at. Quantities in base, `*_quote` and prices in quote, ages in seconds."""

    trading_state: TradingState
    signal_age_s: Decimal
    quote_age_s: Decimal
    mark: Decimal
    """Middle of the best bid and ask of the candidate's symbol."""
    reference: Decimal | None
    """Price of the last public trade: a second opinion on the mark; None when none is recent."""
    cash_free_quote: Decimal
    day_pnl_quote: Decimal
    positions: Mapping[Cell, Decimal] = field(default_factory=dict)
    marks: Mapping[str, Decimal] = field(default_factory=dict)
    pending: tuple[Pending, ...] = ()
    mark_age_s: Decimal = ZERO
    """Of the oldest of the marks of what is held; 0 while nothing is."""
    equity_quote: Decimal | None = None
    """Cash and positions at mark; None while the balances are older than the last fill."""
    drawdown_quote: Decimal | None = None
    """Profit at its highest less profit now; transfers do not count. None while it cannot be known."""
    spread: Decimal | None = None
    """Ask less bid of the candidate's symbol, as a share of their middle."""
    volume_quote: Decimal | None = None
    """What was traded of the candidate's symbol in the last hour, by whomever."""
    loss_shares: Mapping[str, Decimal] = field(default_factory=dict)
    """By symbol, the hourly loss that history shows to be exceeded in one of twenty hours, a share of the price."""
    sent: tuple[Sent, ...] = ()
    """Orders of the account, at least those of the last minute."""

    liquidation_shares: Mapping[str, Decimal] = field(default_factory=dict)
    """By contract, how far its liquidation price lies from the mark, a share of that; where the venue names one."""
    leverage: Decimal = ONE
    """Notional over initial margin, as the venue reckons the margin of contracts."""

    def held(self, symbol: str, strategy: str) -> Decimal:
        return self.positions.get((symbol, strategy), ZERO)

    def opening(self, order: Candidate) -> Decimal:
        """What of an order, in base, does more than close what its strategy holds; 0: it is a way out.

        All of a purchase of coins and none of their sale. Of contracts what goes beyond the position on the other
        side; orders that are under way on the same side may close before it, and leave less of that.
        """
        held, cell = self.held(order.symbol, order.strategy), (order.symbol, order.strategy)
        taken = self._under_way(cell, order.side, _quantity)
        left = max(ZERO, abs(held) - taken).copy_sign(held)
        return order.quantity - closed_by(order.symbol, left, order.side, order.quantity)

    def worst_price(self, order: Candidate) -> Decimal:
        """At what an order that opens counts, in quote per base: a short at what it takes to buy it back."""
        return order.price if order.side == "buy" else max(order.price, self.mark)

    def worst_case_quantity(self, symbol: str) -> Decimal:
        """The most of a symbol that all strategies may come to hold, in base, shorts counted as much as longs.

        Strategies on both sides do not make up for each other: one may leave while the other stays.
        """
        return sum((self._most(cell, ONE, _quantity) for cell in self._cells() if cell[0] == symbol), ZERO)

    def gross_worst_case_quote(self) -> Decimal:
        """The most that all positions may come to be worth: at mark, orders under way at the price they may have."""
        return self._worth(self._cells())

    def strategy_worst_case_quote(self, strategy: str) -> Decimal:
        """The most that the positions of one strategy may come to be worth."""
        return self._worth(cell for cell in self._cells() if cell[1] == strategy)

    def symbol_worst_case_quote(self, symbol: str) -> Decimal:
        """The most that all positions in one symbol may come to be worth."""
        return self._worth(cell for cell in self._cells() if cell[0] == symbol)

    def net_worst_case_quote(self) -> tuple[Decimal, Decimal]:
        """The least and the most that positions may come to be worth together, shorts below zero.

        What is under way counts in the direction that hurts: for the least no buy happens and every sell does, but for
        those that protect: they close no more than is held, and give way before anything else of it is closed.
        """
        held = sum((q * self.marks.get(s, ZERO) for (s, _), q in self.positions.items()), ZERO)
        sells = sum((self._dear(p) for p in self.pending if p.side == "sell" and not p.protects), ZERO)
        buys = sum((self._dear(p) for p in self.pending if p.side == "buy" and not p.protects), ZERO)
        return held - sells, held + buys

    def symbols_at_risk(self) -> set[str]:
        """What is held or may come to be."""
        return {symbol for (symbol, _), quantity in self.positions.items() if quantity} | {
            p.symbol for p in self.pending if (p.side == "buy" or is_linear(p.symbol)) and not p.protects
        }

    def set_aside_quote(self) -> Decimal:
        """What orders under way may still take of the free balance: the price of coins, the margin of contracts."""
        coins = (self._dear(p) for p in self.pending if p.side == "buy" and not is_linear(p.symbol))
        margins = (self._margin_under_way(cell) for cell in self._cells() if is_linear(cell[0]))
        return sum(coins, ZERO) + sum(margins, ZERO)

    def _cells(self) -> Iterable[Cell]:
        """Wherever something is held or may come to be; in an order, so that sums round alike."""
        return dict.fromkeys((*self.positions, *((p.symbol, p.strategy) for p in self.pending)))

    def _under_way(self, cell: Cell, side: Side, weigh: Callable[[Pending], Decimal]) -> Decimal:
        """Of all that may open something, or leaves less to close."""
        if not self.pending:
            return ZERO
        mine = (p for p in self.pending if (p.symbol, p.strategy) == cell and p.side == side and not p.protects)
        return sum((weigh(p) for p in mine), ZERO)

    def _most(self, cell: Cell, unit: Decimal, weigh: Callable[[Pending], Decimal]) -> Decimal:
        """How far a position may come to lie from zero: either all buys happen and no sell, or the other way.

        Coins cannot lie below zero.
        """
        held = self.positions.get(cell, ZERO) * unit
        above = held + self._under_way(cell, "buy", weigh)
        return max(above, self._under_way(cell, "sell", weigh) - held) if is_linear(cell[0]) else above

    def _worth(self, cells: Iterable[Cell]) -> Decimal:
        return sum((self._most(cell, self.marks.get(cell[0], ZERO), self._dear) for cell in cells), ZERO)

    def _margin_under_way(self, cell: Cell) -> Decimal:
        """Initial margin of what orders of a position may open: notional over leverage."""
        held = self.positions.get(cell, ZERO)
        bought = max(ZERO, self._under_way(cell, "buy", _quantity) - max(ZERO, -held))
        sold = max(ZERO, self._under_way(cell, "sell", _quantity) - max(ZERO, held))
        prices = [self._dearest(p) for p in self.pending if (p.symbol, p.strategy) == cell]
        return (bought + sold) * max(prices, default=ZERO) / self.leverage

    def _dear(self, pending: Pending) -> Decimal:
        """The most that an order under way may be worth, in quote."""
        return pending.remaining * self._dearest(pending)

    def _dearest(self, pending: Pending) -> Decimal:
        return max(pending.price, self.marks.get(pending.symbol, ZERO))


def _quantity(pending: Pending) -> Decimal:
    return pending.remaining


class Rule(Protocol):
    """One limit. What only closes, `RiskState.opening` 0, is a way out: rules that bound positions let it pass."""

    def check(self, order: Candidate, state: RiskState) -> Verdict: ...


class Gauge(ABC):
    """A rule that knows how near its limit is, so that it can warn before it refuses."""

    __slots__ = ()

    @abstractmethod
    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        """None: the order is none of this limit's business."""

    def check(self, order: Candidate, state: RiskState) -> Verdict:
        """What the reading says, under the rule's name."""
        reading = self.measure(order, state)
        return APPROVED if reading is None else reading.verdict(type(self).__name__)
