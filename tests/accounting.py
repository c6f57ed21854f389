"""An oracle of positions that shares nothing with the code under test: whole numbers of 10⁻¹⁰ and exact fractions.

It is double-entry: money and base move, profit is what the money of all entries and the cost of what is open leave
over, never a sum of profits. First in, first out is worked out anew from all entries of a run (from flat to flat): how
much was closed altogether says what of which opening is open. It rounds where `trader.portfolio.positions` says that it
rounds, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

UNIT = 10**10


@dataclass(frozen=True, slots=True)
class Entry:
    """A fill in words of its own: base, price, cost and fee as the venue says them, `rate` of a third currency."""

    buys: bool
    base: Decimal
    price: Decimal
    cost: Decimal
    fee: Decimal
    fee_in: str
    """"base", "quote" or "other"."""
    rate: Decimal


def nearest(value: Fraction) -> int:
    """The nearest whole number, the even one of two."""
    below, rest = divmod(value.numerator, value.denominator)
    twice = 2 * rest
    return below + (twice > value.denominator or (twice == value.denominator and below % 2 == 1))


def units(value: Decimal) -> int:
    return nearest(Fraction(value) * UNIT)


@dataclass
class Run:
    """From flat to flat on one side: openings as (base, cost), how much of them was closed, and the average cost."""

    openings: list[tuple[int, int]] = field(default_factory=list)
    closed: int = 0
    cost: int = 0
    unrounded: Fraction = Fraction(0)

    @property
    def open(self) -> int:
        return sum(base for base, _ in self.openings) - self.closed

    def oldest_first(self) -> int:
        """What is open cost, in units, if the oldest went first."""
        gone, total = self.closed, 0
        for base, cost in self.openings:
            left = base - min(base, gone)
            gone -= base - left
            total += nearest(Fraction(cost * left, base))
        return total


@dataclass
class Book:
    """One position. Quantities and money in units of 10⁻¹⁰."""

    shorts: bool
    side: int = 1
    run: Run = field(default_factory=Run)
    money: int = 0
    """All that came in, less all that went out."""
    adopted: int = 0
    funding: int = 0
    fees: int = 0
    fees_base: int = 0
    fees_other: int = 0
    rebates: int = 0
    excess: int = 0
    closings: int = 0

    @property
    def base(self) -> int:
        return self.side * self.run.open

    @property
    def profit(self) -> int:
        """By average cost."""
        return self.money - self.adopted + self.side * self.run.cost

    @property
    def profit_fifo(self) -> int:
        return self.money - self.adopted + self.side * self.run.oldest_first()

    @property
    def profit_unrounded(self) -> Fraction:
        """By average cost that is never rounded."""
        return self.money - self.adopted + self.side * self.run.unrounded

    def adopt(self, base: Decimal, price: Decimal) -> None:
        worth = nearest(Fraction(base) * Fraction(price) * UNIT)
        self.adopted += worth
        self._open(units(base), worth)

    def fund(self, amount: Decimal) -> None:
        self.funding += units(amount)

    def enter(self, entry: Entry) -> None:
        fee_base = units(entry.fee) if entry.fee_in == "base" else 0
        fee_quote = units(entry.fee) if entry.fee_in == "quote" else 0
        fee_other = nearest(Fraction(entry.fee) * Fraction(entry.rate) * UNIT) if entry.fee_in == "other" else 0
        fee = fee_quote + fee_other + nearest(Fraction(fee_base) * Fraction(entry.price))
        self.fees, self.fees_base, self.fees_other = (
            self.fees + fee,
            self.fees_base + fee_base,
            self.fees_other + fee_other,
        )
        self.rebates += -fee if fee < 0 else 0
        base = (1 if entry.buys else -1) * units(entry.base) - fee_base
        money = (-1 if entry.buys else 1) * units(entry.cost) - fee_quote - fee_other
        self.money += money
        self._move(base, money)

    def _move(self, base: int, money: int) -> None:
        if self.run.open == 0 and base and (base > 0 or self.shorts):
            self.side, self.run = (1 if base > 0 else -1), Run()
        amount = base * self.side
        if amount > 0 and (self.side > 0 or self.shorts):
            self._open(amount, -money * self.side)
            return
        wanted, there = abs(base), self.run.open
        if wanted > there and self.shorts:
            of_rest = money - nearest(Fraction(money * there, wanted))
            self.side, self.run = -self.side, Run()
            self.closings += 1
            self._open(wanted - there, -of_rest * self.side)
            return
        closed = min(wanted, there)
        self.excess += wanted - closed
        if closed:
            self.closings += 1
            self.run.unrounded -= self.run.unrounded * closed / there
            self.run.cost -= nearest(Fraction(self.run.cost * closed, there))
            self.run.closed += closed

    def _open(self, base: int, cost: int) -> None:
        self.run.openings.append((base, cost))
        self.run.cost += cost
        self.run.unrounded += cost
