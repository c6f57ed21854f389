"""All positions of one account: per symbol and strategy, and their sums."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.model.strategies import FOREIGN
from trader.portfolio.money import ZERO, product, share, to_scale
from trader.portfolio.positions import Booked, Fill, Position, adopt, after_fill, is_linear, pay_funding

ADOPTED = "adopted"
FUNDING = "funding"
MOVES_MAX = 10_000
"""Fills of a symbol that are remembered, to know what was held when a payment of funding fell due."""
Key = tuple[str, str]
"""(symbol, strategy)"""


@dataclass(frozen=True, slots=True)
class Funding:
    """A funding payment as the venue tells it: `amount` in quote, above 0 where it was received."""

    payment_id: str
    symbol: str
    amount: Decimal
    ts_ns: int


@dataclass(frozen=True, slots=True)
class FundingShare:
    """What of a funding payment is a strategy's, in quote."""

    strategy: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Move:
    """By how much a fill changed what a strategy holds, in base, and when it was executed."""

    ts_ns: int
    strategy: str
    quantity: Decimal


@dataclass(frozen=True, slots=True)
class Worth:
    """The account at mark, in quote currency. `gross_quote` is what both sides together would be closed for."""

    positions_quote: Decimal
    realised_quote: Decimal
    unrealised_quote: Decimal
    gross_quote: Decimal = ZERO
    funding_quote: Decimal = ZERO
    realised_fifo_quote: Decimal = ZERO

    @property
    def pnl_quote(self) -> Decimal:
        return self.realised_quote + self.unrealised_quote + self.funding_quote


def split_funding(funding: Funding, held: Mapping[str, Decimal]) -> tuple[FundingShare, ...]:
    """A payment by the strategies that hold the symbol (`held`: base, by strategy), each by its part of their sum.

    The longs pay and the shorts get of one payment, or the other way; what rounding leaves is the largest holder's. Of
    what nobody holds the payment is `FOREIGN`'s.
    """
    amount, net = to_scale(funding.amount), sum(held.values(), ZERO)
    if not net:
        return (FundingShare(FOREIGN, amount),)
    parts = {strategy: share(amount, quantity, net) for strategy, quantity in sorted(held.items()) if quantity}
    largest = max(parts, key=lambda strategy: abs(held[strategy]))
    parts[largest] += amount - sum(parts.values(), ZERO)
    return tuple(FundingShare(strategy, part) for strategy, part in parts.items())


class Portfolio:
    """Positions of one account at one venue; applying a fill twice is applying it once."""

    def __init__(self) -> None:
        self._positions: dict[Key, Position] = {}
        self._fills: set[tuple[str, str]] = set()
        self._filled: dict[str, Decimal] = {}
        self._last_fill: dict[str, int] = {}
        self._moves: dict[str, deque[Move]] = {}
        self._contracts: dict[str, Position] = {}

    def position(self, symbol: str, strategy: str) -> Position:
        return self._positions.get((symbol, strategy), Position(symbol, strategy))

    def positions(self) -> list[Position]:
        """All that ever were, flat ones included."""
        return list(self._positions.values())

    def quantity(self, symbol: str) -> Decimal:
        """What all strategies together hold of a symbol, in base."""
        return sum((p.quantity for p in self._positions.values() if p.symbol == symbol), ZERO)

    def knows(self, symbol: str, fill_id: str) -> bool:
        """Whether this fill was booked."""
        return (symbol, fill_id) in self._fills

    @property
    def fills(self) -> int:
        """How many fills, adoptions and funding payments were booked."""
        return len(self._fills)

    def filled(self, order_id: str) -> Decimal:
        """The quantity booked for an order, in base, before fees."""
        return self._filled.get(order_id, ZERO)

    def last_fill_id(self, symbol: str) -> int:
        """The highest numeric id booked for a symbol; 0 before the first."""
        return self._last_fill.get(symbol, 0)

    def preview(self, fill: Fill) -> Booked:
        """What `apply` would make of the position."""
        return after_fill(self.position(fill.execution.symbol, fill.strategy), fill)

    def apply(self, fill: Fill) -> Booked | None:
        """Book a fill; None if it was booked before."""
        execution = fill.execution
        if self.knows(execution.symbol, execution.fill_id):
            return None
        booked = self.preview(fill)
        moved = booked.position.quantity - self.position(execution.symbol, fill.strategy).quantity
        self._positions[execution.symbol, fill.strategy] = booked.position
        self._fills.add((execution.symbol, execution.fill_id))
        if is_linear(execution.symbol):
            self._contracts[execution.symbol] = after_fill(self._contract(execution.symbol), fill).position
        moves = self._moves.setdefault(execution.symbol, deque(maxlen=MOVES_MAX))
        moves.append(Move(execution.ts_ns, fill.strategy, moved))
        self._filled[fill.order_id] = self.filled(fill.order_id) + execution.quantity
        if execution.fill_id.isdecimal():
            highest = max(self.last_fill_id(execution.symbol), int(execution.fill_id))
            self._last_fill[execution.symbol] = highest
        return booked

    def adopt(self, symbol: str, strategy: str, quantity: Decimal, mark: Decimal, ts_ns: int) -> Position | None:
        """Take over coins once; None if this position adopted before."""
        if self.knows(symbol, f"{ADOPTED}/{strategy}"):
            return None
        position = adopt(self.position(symbol, strategy), quantity, mark, ts_ns)
        if is_linear(symbol):
            self._contracts[symbol] = adopt(self._contract(symbol), quantity, mark, ts_ns)
        self._positions[symbol, strategy] = position
        self._fills.add((symbol, f"{ADOPTED}/{strategy}"))
        return position

    def held(self, symbol: str) -> dict[str, Decimal]:
        """What each strategy holds of a symbol, in base; flat ones left out."""
        return {p.strategy: p.quantity for p in self._positions.values() if p.symbol == symbol and p.quantity}

    def held_at(self, symbol: str, ts_ns: int) -> dict[str, Decimal]:
        """What each strategy held at a moment, in base: what was executed later is taken back. Flat ones left out."""
        held = self.held(symbol)
        for move in self._moves.get(symbol, ()):
            if move.ts_ns > ts_ns:
                held[move.strategy] = held.get(move.strategy, ZERO) - move.quantity
        return {strategy: quantity for strategy, quantity in held.items() if quantity}

    def preview_funding(self, funding: Funding, shares: Sequence[FundingShare]) -> list[Position]:
        """What `fund` would make of the positions."""
        return [pay_funding(self.position(funding.symbol, s.strategy), s.amount, funding.ts_ns) for s in shares]

    def fund(self, funding: Funding, shares: Sequence[FundingShare]) -> list[Position]:
        """Book a funding payment; empty if it was booked before."""
        name = f"{FUNDING}/{funding.payment_id}"
        if self.knows(funding.symbol, name):
            return []
        paid = self.preview_funding(funding, shares)
        for position in paid:
            self._positions[position.symbol, position.strategy] = position
        self._fills.add((funding.symbol, name))
        return paid

    def _contract(self, symbol: str) -> Position:
        """A contract as the venue keeps it: one position, whichever strategies hold it."""
        return self._contracts.get(symbol, Position(symbol, ""))

    def worth(self, marks: Mapping[str, Decimal]) -> Worth:
        """The account at `marks`; a symbol without a mark is worth what it cost, so that no profit is invented.

        Of contracts it is the unrealised profit, and no more of them is in the account: of the sum of all strategies,
        for the venue knows no other position and pays what it realises of that one; without fees, for they were paid
        when they were executed.
        """
        worth, unrealised, gross = ZERO, ZERO, ZERO
        for contract in self._contracts.values():
            worth += contract.open_fees_quote
            if (mark := marks.get(contract.symbol)) is not None:
                worth += contract.unrealised_quote(mark)
        for position in self._positions.values():
            mark = marks.get(position.symbol)
            value = position.cost_basis if mark is None else product(position.quantity, mark)
            gained = value - position.cost_basis
            worth += ZERO if is_linear(position.symbol) else value
            unrealised += gained
            gross += abs(value)
        return Worth(
            positions_quote=worth,
            realised_quote=sum((p.realised_quote for p in self._positions.values()), ZERO),
            unrealised_quote=unrealised,
            gross_quote=gross,
            funding_quote=sum((p.funding_quote for p in self._positions.values()), ZERO),
            realised_fifo_quote=sum((p.realised_fifo_quote for p in self._positions.values()), ZERO),
        )
