"""Round trips: what was bought and sold again, told from fills alone. Pure.

Cost is by average, as the trader's books have it. A spot venue takes its fee from what is received, so a purchase
leaves a little less than its amount, and the last sale a little dust, with its cost: it counts into the next trip. What
a contract pays is paid in quote. The profits of all trips and what is still open add up to the account's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal

from backtest.outcome import Fill, Side
from trader.portfolio.positions import is_linear

ZERO = Decimal(0)
DUST_SHARE = Decimal("0.01")
"""A position is closed once no more than this share of its largest is left."""


@dataclass(frozen=True, slots=True)
class Trip:
    """From flat to flat, times in UTC ns. `profit_quote` is after fees, `cost_quote` what its openings cost.

    `closed_ns` None: still open, then the profit is that of the part which was closed.
    """

    symbol: str
    side: Side
    opened_ns: int
    closed_ns: int | None
    cost_quote: Decimal
    profit_quote: Decimal
    fees_quote: Decimal

    @property
    def return_share(self) -> float:
        """Profit as a share of what was put in."""
        return float(self.profit_quote / self.cost_quote) if self.cost_quote else 0.0


@dataclass(slots=True)
class _Open:
    """One symbol's position: base, below 0 where short, and what it cost in quote; the rest since it was opened."""

    symbol: str
    held: Decimal = ZERO
    cost: Decimal = ZERO
    opened_ns: int = 0
    side: Side = "buy"
    largest: Decimal = ZERO
    put_in: Decimal = ZERO
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    under_way: bool = False

    def book(self, fill: Fill) -> Iterator[Trip]:
        """Take a fill; yields the trip that it ends."""
        change, money = moved(fill)
        closing = min(abs(change), abs(self.held)) if change * self.held < 0 else ZERO
        if closing:
            part = closing / abs(change)
            cost = self.cost * (closing / abs(self.held))
            self.profit += money * part - cost
            self.fees += fill.fee * part
            self.held += closing.copy_sign(change)
            self.cost -= cost
            if abs(self.held) <= self.largest * DUST_SHARE and self.under_way:
                yield self.trip(fill.ts_ns)
                self._begin()
            change, money = change - closing.copy_sign(change), money * (1 - part)
        if change:
            self._add(fill, change, money, fill.fee * (abs(change) / (abs(change) + closing)))

    def _add(self, fill: Fill, change: Decimal, money: Decimal, fee: Decimal) -> None:
        if not self.under_way:
            self.under_way, self.opened_ns, self.side = True, fill.ts_ns, fill.side
        self.held += change
        self.cost -= money
        self.put_in += abs(money)
        self.fees += fee
        self.largest = max(self.largest, abs(self.held))

    def _begin(self) -> None:
        self.largest = self.put_in = self.profit = self.fees = ZERO
        self.under_way = False

    def trip(self, closed_ns: int | None) -> Trip:
        return Trip(self.symbol, self.side, self.opened_ns, closed_ns, self.put_in, self.profit, self.fees)


def moved(fill: Fill) -> tuple[Decimal, Decimal]:
    """What a fill adds to what is held, in base, and to cash, in quote, its fee taken off."""
    sign = 1 if fill.side == "buy" else -1
    cost = fill.amount * fill.price
    if fill.side == "buy" and not is_linear(fill.symbol):
        return fill.amount - fill.fee / fill.price, -cost
    return sign * fill.amount, -sign * cost - fill.fee


def trips(fills: Iterable[Fill]) -> list[Trip]:
    """All trips in the order in which they ended; those that are still open come last."""
    open_: dict[str, _Open] = {}
    ended = [trip for fill in fills for trip in open_.setdefault(fill.symbol, _Open(fill.symbol)).book(fill)]
    return ended + [each.trip(None) for each in open_.values() if each.under_way or each.profit]


def held_s(every: Iterable[Trip], end_ns: int) -> float:
    """For how long anything was held, seconds; times that overlap count once."""
    spans = sorted((trip.opened_ns, end_ns if trip.closed_ns is None else trip.closed_ns) for trip in every)
    total, reached = 0, 0
    for begin, end in spans:
        total += max(0, end - max(begin, reached))
        reached = max(reached, end)
    return total / 1e9
