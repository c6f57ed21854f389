"""What rules look at, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from ares.model.market import Side
from trader.portfolio.money import ZERO


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
    """An order that is not settled: open, UNKNOWN, or filled but not booked; `remaining` may still happen."""

    strategy: str
    symbol: str
    side: Side
    remaining: Decimal
    price: Decimal


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
    positions: Mapping[tuple[str, str], Decimal] = field(default_factory=dict)
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

    def held(self, symbol: str, strategy: str) -> Decimal:
        return self.positions.get((symbol, strategy), ZERO)

    def worst_case_quantity(self, symbol: str) -> Decimal:
        """The most we may come to hold: positions plus every pending buy; pending sells may never happen."""
        held = sum((q for (s, _), q in self.positions.items() if s == symbol), ZERO)
        return held + sum((p.remaining for p in self.pending if p.symbol == symbol and p.side == "buy"), ZERO)

    def gross_worst_case_quote(self) -> Decimal:
        """The most that all positions may come to be worth: at mark, pending buys at the price they may pay."""
        held = sum((q * self.marks.get(s, ZERO) for (s, _), q in self.positions.items()), ZERO)
        return held + self.pending_buys_quote()

    def strategy_worst_case_quote(self, strategy: str) -> Decimal:
        """The most that the positions of one strategy may come to be worth."""
        held = sum((q * self.marks.get(s, ZERO) for (s, who), q in self.positions.items() if who == strategy), ZERO)
        buying = (p.remaining * self._dearest(p) for p in self._buys() if p.strategy == strategy)
        return held + sum(buying, ZERO)

    def symbol_worst_case_quote(self, symbol: str) -> Decimal:
        """The most that all positions in one symbol may come to be worth."""
        held = sum((q * self.marks.get(s, ZERO) for (s, _), q in self.positions.items() if s == symbol), ZERO)
        return held + sum((p.remaining * self._dearest(p) for p in self._buys() if p.symbol == symbol), ZERO)

    def net_worst_case_quote(self) -> tuple[Decimal, Decimal]:
        """The least and the most that positions may come to be worth together, shorts below zero.

        What is under way counts in the direction that hurts: for the least no buy happens and every sell does.
        """
        held = sum((q * self.marks.get(s, ZERO) for (s, _), q in self.positions.items()), ZERO)
        sells = (p.remaining * self._dearest(p) for p in self.pending if p.side == "sell")
        return held - sum(sells, ZERO), held + self.pending_buys_quote()

    def symbols_at_risk(self) -> set[str]:
        """What is held or may come to be."""
        return {symbol for (symbol, _), quantity in self.positions.items() if quantity} | {
            p.symbol for p in self._buys()
        }

    def pending_buys_quote(self) -> Decimal:
        return sum((p.remaining * self._dearest(p) for p in self._buys()), ZERO)

    def _dearest(self, pending: Pending) -> Decimal:
        return max(pending.price, self.marks.get(pending.symbol, ZERO))

    def _buys(self) -> list[Pending]:
        return [p for p in self.pending if p.side == "buy"]


class Rule(Protocol):
    """One limit. On spot every sell reduces, and rules that bound positions let it pass."""

    def check(self, order: Candidate, state: RiskState) -> Verdict: ...


@runtime_checkable
class Gauge(Protocol):
    """A limit that knows how near it is, so that it can warn before it refuses."""

    def measure(self, order: Candidate, state: RiskState) -> Reading | None:
        """None: the order is none of this limit's business."""
        ...
