"""A market that is made up, and known exactly: what a venue would have to say of it, and what must be stored of that.

Every amount and price is text in digits that a venue could send; times are whole milliseconds, which every venue can
tell. The same seed makes the same market.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ares.clock import NANOS_PER_MILLI
from ares.model.market import Quote, Side, Trade
from ingest.books import Text

FIRST_UPDATE = 5_000
LEVELS = 8
"""Levels of a side at most: few enough that a checksum over the best ten covers all of them."""
TICK_MS = 2
Sides = tuple[dict[str, str], dict[str, str]]
"""Bids and asks: amount by price, in digits."""
Ids = Callable[[int, int], tuple[str, int]]
"""Id and `seq` of a trade, by how many its symbol had before it, and how many the market had."""


def dense(of_symbol: int, of_market: int) -> tuple[str, int]:
    """Ids that grow by one."""
    return str(1_000 + of_symbol), 1_000 + of_symbol


@dataclass(frozen=True, slots=True)
class Depth:
    """A snapshot of a book, or what changed of it, in no venue's words.

    `first_id`..`last_id` number the changes inside, `prev_id` is the last one of the message before, `number` counts
    the messages of the symbol. An amount of "0" takes the level away. `whole` is the book once this is taken in, best
    first: a checksum is made of it.
    """

    symbol: str
    venue_symbol: str
    first_id: int
    last_id: int
    prev_id: int
    number: int
    snapshot: bool
    bids: tuple[Text, ...]
    asks: tuple[Text, ...]
    ts_ms: int
    whole: tuple[tuple[Text, ...], tuple[Text, ...]]


@dataclass
class Market:
    """The symbols of one venue, with everything that ever happened.

    `venue_symbols`: ours ("BTC/USDT") → the venue's own ("BTCUSDT"). `states`: a book's amounts by symbol and last id.

    >>> market = Market("okx", {"BTC/USDT": "BTC-USDT"}, dense, random.Random(1), now_ns)
    >>> market.print_trade("BTC/USDT").seq
    1000
    """

    venue: str
    venue_symbols: Mapping[str, str]
    ids: Ids
    rng: random.Random
    now_ns: int
    trades: dict[str, list[Trade]] = field(default_factory=dict)
    quotes: dict[str, list[Quote]] = field(default_factory=dict)
    books: dict[str, Sides] = field(default_factory=dict)
    update_ids: dict[str, int] = field(default_factory=dict)
    messages: dict[str, int] = field(default_factory=dict)
    states: dict[tuple[str, int], tuple[dict[float, float], dict[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.now_ns -= self.now_ns % NANOS_PER_MILLI
        for symbol in self.venue_symbols:
            self.trades[symbol], self.quotes[symbol] = [], []
            self.books[symbol] = ({"99.5": "1", "99.0": "2"}, {"100.5": "1", "101.0": "2"})
            self.update_ids[symbol] = self.messages[symbol] = FIRST_UPDATE
            self._remember(symbol)

    def advance(self) -> int:
        """Let time pass; returns the moment in ms."""
        self.now_ns += TICK_MS * NANOS_PER_MILLI
        return self.now_ns // NANOS_PER_MILLI

    def print_trade(self, symbol: str) -> Trade:
        """A new trade."""
        trade_id, seq = self.ids(len(self.trades[symbol]), sum(map(len, self.trades.values())))
        side: Side = self.rng.choice(("buy", "sell"))
        price, amount = 100.0 + self.rng.randint(-9, 9) / 10, self.rng.randint(1, 99) / 100
        ts_ns = self.advance() * NANOS_PER_MILLI
        trade = Trade(self.venue, symbol, trade_id, seq, side, price, amount, ts_ns, ts_ns, "stream")
        self.trades[symbol].append(trade)
        return trade

    def move_quote(self, symbol: str) -> Quote:
        """A new best bid and ask, as a stream of its own tells them."""
        bid, ask = 100.0 - self.rng.randint(1, 9) / 10, 100.0 + self.rng.randint(1, 9) / 10
        amounts = self.rng.randint(1, 99) / 100, self.rng.randint(1, 99) / 100
        ts_ns = self.advance() * NANOS_PER_MILLI
        number = 1 + sum(map(len, self.quotes.values()))
        quote = Quote(self.venue, symbol, number, bid, amounts[0], ask, amounts[1], ts_ns, ts_ns, "venue")
        self.quotes[symbol].append(quote)
        return quote

    def move_book(self, symbol: str) -> Depth:
        """One to three levels get another amount, or go, or come; one that is not there may go too.

        The best levels stay there, so that the book is never empty and never crossed.
        """
        changed: Sides = ({}, {})
        for _ in range(self.rng.randint(1, 3)):
            side, steps = self.rng.randint(0, 1), self.rng.randint(0, LEVELS - 1) / 2
            price = f"{99.5 - steps:.1f}" if side == 0 else f"{100.5 + steps:.1f}"
            now = self.books[symbol][side].get(price, "")
            amounts = ("1", "2.5", "30") if steps == 0 else ("0", "1", "2.5", "30")
            changed[side][price] = self.rng.choice([text for text in amounts if text != now])
        return self.change(symbol, *changed)

    def change(self, symbol: str, bids: Mapping[str, str], asks: Mapping[str, str]) -> Depth:
        """These levels get these amounts."""
        prev_id = self.update_ids[symbol]
        for side, levels in zip(self.books[symbol], (bids, asks), strict=True):
            for price, amount in levels.items():
                if amount == "0":
                    side.pop(price, None)
                else:
                    side[price] = amount
        self.update_ids[symbol] += len(bids) + len(asks)
        self.messages[symbol] += 1
        self._remember(symbol)
        return self._depth(symbol, prev_id, tuple(bids.items()), tuple(asks.items()))

    def snapshot(self, symbol: str) -> Depth:
        """The whole book as it is now."""
        return self._depth(symbol, -1, *self.whole(symbol))

    def whole(self, symbol: str) -> tuple[tuple[Text, ...], tuple[Text, ...]]:
        """Bids and asks, best first."""
        bids, asks = self.books[symbol]
        return best_first(bids, falling=True), best_first(asks, falling=False)

    def _depth(self, symbol: str, prev_id: int, bids: tuple[Text, ...], asks: tuple[Text, ...]) -> Depth:
        last_id = self.update_ids[symbol]
        snapshot = prev_id < 0
        ids = (last_id if snapshot else prev_id + 1, last_id, prev_id, self.messages[symbol])
        ts_ms = self.advance()
        return Depth(symbol, self.venue_symbols[symbol], *ids, snapshot, bids, asks, ts_ms, self.whole(symbol))

    def _remember(self, symbol: str) -> None:
        bids, asks = self.books[symbol]
        self.states[symbol, self.update_ids[symbol]] = (numbers(bids), numbers(asks))


def best_first(side: Mapping[str, str], *, falling: bool) -> tuple[Text, ...]:
    """The levels of a side in the order of a book."""
    return tuple(sorted(side.items(), key=lambda level: float(level[0]), reverse=falling))


def numbers(side: Mapping[str, str]) -> dict[float, float]:
    """A side as a book keeps it."""
    return {float(price): float(amount) for price, amount in side.items()}
