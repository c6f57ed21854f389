"""An order book from a venue's snapshot and its stream of changes: spliced, followed, and thrown away when in doubt.

Pure. The way a change must follow what came before is the venue's own (`Follows`); what is said here holds for all: a
book whose chain of ids broke, whose checksum failed or whose bid reaches its ask is no book any more, and a new
snapshot must be asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from heapq import nlargest, nsmallest
from typing import Literal

import msgspec

from ares.model.market import Book, Quote, TsSource

WAITING_MAX = 10_000
"""Changes kept while the snapshot is on its way; with more, the oldest go, and the splice tells whether it matters."""
LEVELS_MAX = 50_000
"""Price levels kept on a side; far ones are forgotten once there are twice as many."""

Level = tuple[float, float]
Text = tuple[str, str]
Trouble = Literal["id_jump", "checksum", "crossed"]


class BookUpdate(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A snapshot of a book, or what changed of it: the new amounts at these prices, 0 = the level is gone.

    `first_id`..`last_id` are the venue's numbers of the changes inside, `prev_id` the last one of the message before,
    where the venue tells it. `bid_texts` and `ask_texts` are the levels in the venue's own digits, for its checksum.
    `in_stream` is a snapshot among the changes: all that came before it is in it. `depth`: the venue tells of so many
    levels of a side and no more, not even that one of the others is gone.
    """

    venue: str
    symbol: str
    first_id: int
    last_id: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    ts_ns: int
    received_at_ns: int
    ts_source: TsSource
    prev_id: int | None = None
    snapshot: bool = False
    in_stream: bool = False
    depth: int | None = None
    checksum: int | None = None
    bid_texts: tuple[Text, ...] = ()
    ask_texts: tuple[Text, ...] = ()


class Fit(Enum):
    """How a change lies to what the book has."""

    OLD = "old"
    NEXT = "next"
    GAP = "gap"


Follows = Callable[[int, BookUpdate, bool], Fit]
"""Last id of the book, the change, and whether it is the first one after the snapshot."""


@dataclass(slots=True)
class Side:
    """One side: amounts by price, and the venue's digits where it sends a checksum. `pick` finds the best price."""

    pick: Callable[[Iterable[float]], float]
    amounts: dict[float, float] = field(default_factory=dict)
    texts: dict[float, Text] = field(default_factory=dict)
    known_best: float | None = None

    def best(self) -> float | None:
        """The best price, None while there is none. Looked for only when the last one is gone."""
        if self.known_best is None and self.amounts:
            self.known_best = self.pick(self.amounts)
        return self.known_best

    def change(self, levels: Iterable[Level], texts: Iterable[Text]) -> None:
        """Set the amounts at these prices."""
        for price, amount in levels:
            if amount == 0.0:
                self.amounts.pop(price, None)
                self.texts.pop(price, None)
                if price == self.known_best:
                    self.known_best = None
            else:
                self.amounts[price] = amount
                if self.known_best is not None:
                    self.known_best = self.pick((self.known_best, price))
        for text in texts:
            price = float(text[0])
            if price in self.amounts:
                self.texts[price] = text

    def keep(self, prices: Iterable[float]) -> None:
        """Forget all other levels."""
        kept = list(prices)
        self.amounts = {price: self.amounts[price] for price in kept}
        self.texts = {price: self.texts[price] for price in kept if price in self.texts}


class OrderBook:
    """One symbol's book. `apply` says None, or what is wrong; after that it waits for a snapshot.

    >>> book = OrderBook(follows)
    >>> book.apply(change); book.apply(snapshot); book.apply(change)
    >>> book.top(20)
    """

    def __init__(self, follows: Follows, checksum: Callable[[OrderBook], int] | None = None) -> None:
        self._follows = follows
        self._checksum = checksum
        self.bids = Side(max)
        self.asks = Side(min)
        self.newest: BookUpdate | None = None
        self._fresh = False
        self._waiting: list[BookUpdate] = []

    @property
    def is_whole(self) -> bool:
        """Whether it is a book, and not one in the making."""
        return self.newest is not None

    def apply(self, update: BookUpdate) -> Trouble | None:
        """Take a message of the venue in. Keeps changes that come before their snapshot."""
        if update.snapshot:
            return self._splice(update)
        if self.newest is None:
            self._waiting.append(update)
            del self._waiting[:-WAITING_MAX]
            return None
        return self._follow(update)

    def reset(self) -> None:
        """The stream is lost: nothing of this is true any more."""
        self.bids, self.asks = Side(max), Side(min)
        self.newest = None
        self._waiting = []

    def best(self) -> tuple[float, float] | None:
        """Best bid and ask, None while a side is empty."""
        bid, ask = self.bids.best(), self.asks.best()
        return None if bid is None or ask is None else (bid, ask)

    def best_texts(self, levels: int) -> tuple[list[Text], list[Text]]:
        """The best bids and asks in the venue's digits."""
        bids = [self.bids.texts[price] for price in nlargest(levels, self.bids.texts)]
        return bids, [self.asks.texts[price] for price in nsmallest(levels, self.asks.texts)]

    def top(self, levels: int, received_at_ns: int) -> Book | None:
        """The best levels as a snapshot to store, None while there is no book or a side is empty."""
        newest = self.newest
        if newest is None or self.best() is None:
            return None
        bids, asks = self.bids.amounts, self.asks.amounts
        return Book(
            newest.venue,
            newest.symbol,
            newest.last_id,
            tuple((price, bids[price]) for price in nlargest(levels, bids)),
            tuple((price, asks[price]) for price in nsmallest(levels, asks)),
            newest.ts_ns,
            received_at_ns,
            newest.ts_source,
        )

    def quote(self, received_at_ns: int) -> Quote | None:
        """Best bid and ask, with the time and the number of the last change; None while there is no book."""
        newest, best = self.newest, self.best()
        if newest is None or best is None:
            return None
        amounts = self.bids.amounts[best[0]], self.asks.amounts[best[1]]
        values = best[0], amounts[0], best[1], amounts[1]
        stamps = newest.ts_ns, received_at_ns, newest.ts_source
        return Quote(newest.venue, newest.symbol, newest.last_id, *values, *stamps)

    def _splice(self, snapshot: BookUpdate) -> Trouble | None:
        """Begin with a snapshot and go on with what came since; keep that if the snapshot is too old for it."""
        waiting, self._waiting = [] if snapshot.in_stream else self._waiting, []
        self.bids, self.asks = Side(max), Side(min)
        self._change(snapshot)
        self._fresh = True
        trouble = self._fault_of(snapshot)
        for update in waiting:
            trouble = trouble or self._follow(update)
        if trouble is not None:
            self.newest, self._waiting = None, waiting
        return trouble

    def _follow(self, update: BookUpdate) -> Trouble | None:
        assert self.newest is not None
        fit = self._follows(self.newest.last_id, update, self._fresh)
        if fit is Fit.OLD:
            return None
        trouble: Trouble | None = "id_jump" if fit is Fit.GAP else None
        if trouble is None:
            self._change(update)
            self._fresh = False
            trouble = self._fault_of(update)
        if trouble is not None:
            self.reset()
            self._waiting = [update]
        return trouble

    def _change(self, update: BookUpdate) -> None:
        self.bids.change(update.bids, update.bid_texts)
        self.asks.change(update.asks, update.ask_texts)
        kept, most = (LEVELS_MAX, 2 * LEVELS_MAX) if update.depth is None else (update.depth, update.depth)
        if len(self.bids.amounts) > most:
            self.bids.keep(nlargest(kept, self.bids.amounts))
        if len(self.asks.amounts) > most:
            self.asks.keep(nsmallest(kept, self.asks.amounts))
        self.newest = update

    def _fault_of(self, update: BookUpdate) -> Trouble | None:
        best = self.best()
        if best is not None and best[0] >= best[1]:
            return "crossed"
        if self._checksum is not None and update.checksum is not None and self._checksum(self) != update.checksum:
            return "checksum"
        return None


@dataclass(slots=True)
class BookRoom:
    """The books of one venue and when each was last handed out."""

    follows: Follows
    levels: int
    every_ns: int
    checksum: Callable[[OrderBook], int] | None = None
    books: dict[str, OrderBook] = field(default_factory=dict)
    handed_out_ns: dict[str, int] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    quoted: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def take(self, update: BookUpdate) -> Trouble | None:
        """Take a message in; what is wrong with its book now, if anything."""
        book = self.books.get(update.symbol)
        if book is None:
            book = self.books[update.symbol] = OrderBook(self.follows, self.checksum)
        trouble = book.apply(update)
        if trouble is None and book.is_whole:
            self.changed[update.symbol] = None
        else:
            self.changed.pop(update.symbol, None)
            self.quoted.pop(update.symbol, None)
        return trouble

    def new_quote(self, symbol: str, received_at_ns: int) -> Quote | None:
        """Best bid and ask of a book, if they are not what they were when this was last asked."""
        quote = self.books[symbol].quote(received_at_ns)
        if quote is None:
            self.quoted.pop(symbol, None)
            return None
        values = (quote.bid, quote.bid_amount, quote.ask, quote.ask_amount)
        if self.quoted.get(symbol) == values:
            return None
        self.quoted[symbol] = values
        return quote

    def reset(self) -> None:
        """The stream of all of them is lost."""
        for book in self.books.values():
            book.reset()
        self.changed.clear()
        self.quoted.clear()

    def due(self, now_ns: int) -> list[Book]:
        """Tops of the books that changed, each symbol at most once in every `every_ns` of the clock.

        Which ones is decided by the receipt of the changes alone: as long as `due` is asked before each change with
        its receipt, it does not matter how else it is asked, and a replay of the changes gives the same tops.
        """
        tops: list[Book] = []
        for symbol in list(self.changed):
            newest = self.books[symbol].newest
            assert newest is not None, "only whole books are in `changed`"
            every_ns = max(1, self.every_ns)
            slot = self.handed_out_ns.get(symbol, 0) // every_ns
            due_ns = max(newest.received_at_ns, (slot + 1) * every_ns)
            if due_ns > now_ns:
                continue
            del self.changed[symbol]
            top = self.books[symbol].top(self.levels, newest.received_at_ns)
            if top is not None:
                self.handed_out_ns[symbol] = due_ns
                tops.append(top)
        return tops
