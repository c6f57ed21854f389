"""The venue's market as far as it is known, and whether orders may meet it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from simulator.clock import MarketClock
from simulator.matching.types import ZERO, DisplayedBook, Refusal, Rules
from simulator.paper.book import FollowedBook
from simulator.refusals import under_maintenance


class PaperMarket:
    """Books and last prices by symbol. One that is broken, or older than `silence_ms_max`, takes no orders."""

    def __init__(self, rules: Mapping[str, Rules], clock: MarketClock, silence_ms_max: int) -> None:
        self.clock = clock
        self.rules = rules
        self.silence_ms_max = silence_ms_max
        self.books = {symbol: FollowedBook() for symbol in rules}
        self._last: dict[str, Decimal] = {}

    @property
    def symbols(self) -> list[str]:
        return list(self.rules)

    @property
    def open(self) -> bool:
        """Whether any symbol takes orders: if none does, the exchange says that it is under maintenance."""
        return any(self.is_open(symbol) for symbol in self.rules)

    def is_open(self, symbol: str) -> bool:
        """Whether the book of a symbol is whole and of now."""
        return self.books[symbol].whole and self.age_ms(symbol) <= self.silence_ms_max

    def age_ms(self, symbol: str) -> int:
        """How long ago the venue said anything of a symbol's book."""
        return self.clock.now_ms() - self.books[symbol].seen_ms

    def known(self, symbol: str) -> FollowedBook:
        """The book of a symbol. Raises `Refusal` for one that is not listed."""
        if symbol not in self.books:
            raise Refusal(-1121, "Invalid symbol.")
        return self.books[symbol]

    def require_open(self, symbol: str) -> None:
        """Refuses as the venue does: all of it under maintenance, or one symbol halted. Raises `Refusal`."""
        self.known(symbol)
        if self.is_open(symbol):
            return
        if self.open:
            raise Refusal(-1013, "Market is closed.")
        raise under_maintenance()

    def book(self, symbol: str) -> DisplayedBook:
        """What is displayed as far as it is known; `require_open` says whether orders may meet it. Raises `Refusal`."""
        return self.known(symbol).displayed(self._last.get(symbol, ZERO))

    def traded(self, symbol: str, price: Decimal) -> None:
        self._last[symbol] = price

    def extremes(self, symbol: str, start_ms: int, end_ms: int) -> None:  # noqa: ARG002 - nobody kept a tape
        """What the venue did while nobody listened is not known."""
        return

    def lose(self) -> None:
        """The line is gone: no book is known any more."""
        for book in self.books.values():
            book.lose()
