"""What rules look at, and what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

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
    """Which rule said no, what it saw, what it allows, in which unit."""

    rule: str
    observed: Decimal
    limit: Decimal
    unit: str


Verdict = Approved | Refused
APPROVED = Approved()


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

    def pending_buys_quote(self) -> Decimal:
        return sum((p.remaining * max(p.price, self.marks.get(p.symbol, ZERO)) for p in self._buys()), ZERO)

    def _buys(self) -> list[Pending]:
        return [p for p in self.pending if p.side == "buy"]


class Rule(Protocol):
    """One limit. On spot every sell reduces, and rules that bound positions let it pass."""

    def check(self, order: Candidate, state: RiskState) -> Verdict: ...
