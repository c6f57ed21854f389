"""All positions of one account: per symbol and strategy, and their sums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trader.portfolio.money import ZERO, to_scale
from trader.portfolio.positions import Booked, Fill, Position, adopt, apply_fill

ADOPTED = "adopted"
Key = tuple[str, str]
"""(symbol, strategy)"""


@dataclass(frozen=True, slots=True)
class Worth:
    """The account at mark, in quote currency."""

    positions_quote: Decimal
    realised_quote: Decimal
    unrealised_quote: Decimal

    @property
    def pnl_quote(self) -> Decimal:
        return self.realised_quote + self.unrealised_quote


class Portfolio:
    """Positions of one account at one venue; applying a fill twice is applying it once."""

    def __init__(self) -> None:
        self._positions: dict[Key, Position] = {}
        self._fills: set[tuple[str, str]] = set()
        self._filled: dict[str, Decimal] = {}
        self._last_fill: dict[str, int] = {}

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
        """How many fills and adoptions were booked."""
        return len(self._fills)

    def filled(self, order_id: str) -> Decimal:
        """The quantity booked for an order, in base, before fees."""
        return self._filled.get(order_id, ZERO)

    def last_fill_id(self, symbol: str) -> int:
        """The highest numeric id booked for a symbol; 0 before the first."""
        return self._last_fill.get(symbol, 0)

    def preview(self, fill: Fill) -> Booked:
        """What `apply` would make of the position."""
        return apply_fill(self.position(fill.execution.symbol, fill.strategy), fill)

    def apply(self, fill: Fill) -> Booked | None:
        """Book a fill; None if it was booked before."""
        execution = fill.execution
        if self.knows(execution.symbol, execution.fill_id):
            return None
        booked = self.preview(fill)
        self._positions[execution.symbol, fill.strategy] = booked.position
        self._fills.add((execution.symbol, execution.fill_id))
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
        self._positions[symbol, strategy] = position
        self._fills.add((symbol, f"{ADOPTED}/{strategy}"))
        return position

    def worth(self, marks: Mapping[str, Decimal]) -> Worth:
        """The account at `marks`; a symbol without a mark is worth what it cost, so that no profit is invented."""
        positions_quote = realised = unrealised = ZERO
        for position in self._positions.values():
            mark = marks.get(position.symbol)
            worth = position.cost_basis if mark is None else to_scale(position.quantity * mark)
            positions_quote += worth
            unrealised += worth - position.cost_basis
            realised += position.realised_quote
        return Worth(positions_quote, realised, unrealised)
