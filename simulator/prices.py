"""What an account needs of the market it trades on, whether that is a replay or a venue's stream."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol

from simulator.clock import MarketClock
from simulator.matching.types import DisplayedBook, Rules


class Prices(Protocol):
    """A market of several symbols, by the venue's names of them."""

    @property
    def clock(self) -> MarketClock: ...

    @property
    def rules(self) -> Mapping[str, Rules]: ...

    @property
    def symbols(self) -> list[str]: ...

    def require_open(self, symbol: str) -> None:
        """Raises the venue's `Refusal` for a symbol that takes no orders now, or that is not listed."""
        ...

    def book(self, symbol: str) -> DisplayedBook:
        """What is displayed, and the price of the last trade. Raises `Refusal` for a symbol that is not listed."""
        ...

    def traded(self, symbol: str, price: Decimal) -> None:
        """The market traded at this price."""
        ...

    def extremes(self, symbol: str, start_ms: int, end_ms: int) -> tuple[Decimal, Decimal] | None:
        """Lowest and highest price traded between two moments, both included; None where that is not known."""
        ...
