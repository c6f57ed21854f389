"""What the venue streams, in order, to the account and to those who listen; held back while a book is not whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ares.errors import VenueRejected, VenueUnavailable
from ares.telemetry import get_logger, metrics
from simulator.desk import Desk
from simulator.hub import Hub
from simulator.matching.queue import PublicTrade
from simulator.paper.book import FollowedBook
from simulator.paper.market import PaperMarket
from simulator.paper.words import NOTHING, AggTrade, Depth, Quote, Said, Snapshot, Trade, number, read

KINDS: dict[str, type[Trade | AggTrade | Quote | Depth]] = {
    "trade": Trade,
    "aggTrade": AggTrade,
    "bookTicker": Quote,
    "depth@100ms": Depth,
}
"""What is asked for of every symbol; other streams are passed on as they come."""
HELD_FRAMES_MAX = 50_000
"""Of one symbol, while its snapshot is awaited; with more the line is given up."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """A frame that says something of a market: what it says, and its text as the venue wrote it."""

    stream: str
    said: Trade | AggTrade | Quote | Depth
    text: bytes
    late: bool
    """It was older than a book may be when it came: an order that stands now may not have stood then."""


class Intake:
    """Gives trades to the account once each, and only while the book beside them is known; else holds them."""

    def __init__(self, market: PaperMarket, hub: Hub, desk: Desk, want: Callable[[str], None]) -> None:
        self._market = market
        self._hub = hub
        self._desk = desk
        self._want = want
        self._held: dict[str, deque[Event]] = {symbol: deque() for symbol in market.symbols}
        self._ids: dict[str, int] = {}
        """The newest id of each stream of trades."""

    def take(self, text: str | bytes) -> None:
        """One frame. Raises `MalformedFrame`, `VenueRejected` for a request refused, `VenueUnavailable`."""
        frame = read(text, Said)
        if not frame.stream:
            if frame.error != NOTHING:
                raise VenueRejected("subscription", bytes(frame.error).decode(errors="replace")[:200])
            return
        name, _, kind = frame.stream.partition("@")
        symbol = name.upper()
        if symbol not in self._held:
            return
        wanted = KINDS.get(kind)
        if wanted is None:
            self._publish(symbol, frame.stream, 0, bytes(frame.data))
            return
        said = read(frame.data, wanted)
        self._order(symbol, Event(frame.stream, said, bytes(frame.data), self._is_late(said)))

    def load(self, symbol: str, snapshot: Snapshot, asked_ms: int) -> None:
        """A snapshot came: what was held goes on from it. Raises `MalformedFrame`."""
        was_open = self._market.is_open(symbol)
        book = self._market.books[symbol]
        book.load(snapshot, asked_ms)
        self._desk.see(symbol, book.amount)
        self._release(symbol)
        if not was_open and self._market.is_open(symbol):
            log.info("feed_book_whole", symbol=symbol, update_id=snapshot.update_id)

    def lose(self) -> None:
        """The line is gone: what was held cannot be told any more, and what comes next follows nothing."""
        self._market.lose()
        for held in self._held.values():
            held.clear()

    def _order(self, symbol: str, event: Event) -> None:
        held = self._held[symbol]
        if isinstance(event.said, Depth) and self._market.books[symbol].whole:
            if self._do(symbol, event):
                self._release(symbol)
                return
        elif not held and self._market.is_open(symbol):
            self._do(symbol, event)
            return
        if len(held) >= HELD_FRAMES_MAX:
            raise VenueUnavailable(f"{symbol}: {HELD_FRAMES_MAX} frames and no snapshot that they follow")
        held.append(event)

    def _release(self, symbol: str) -> None:
        held = self._held[symbol]
        while held and self._market.is_open(symbol):
            if not self._do(symbol, held[0]):
                return
            held.popleft()

    def _do(self, symbol: str, event: Event) -> bool:
        """Tell an event; False when it does not follow what is known, so that it has to wait for a snapshot."""
        said, key = event.said, 0
        if isinstance(said, Depth):
            book = self._market.books[symbol]
            if not self._follow(symbol, book, said):
                return False
            key = said.last_id
            self._desk.see(symbol, book.amount)
        elif isinstance(said, Quote):
            key = said.update_id
            self._market.books[symbol].quote(said)
        else:
            key = said.trade_id
            if not self._is_new(symbol, event.stream, key):
                return True
            if isinstance(said, Trade):
                self._trade(symbol, said, late=event.late)
        self._publish(symbol, event.stream, key, event.text)
        return True

    def _trade(self, symbol: str, said: Trade, *, late: bool) -> None:
        price, amount = number(said.price), number(said.amount)
        if late:
            metrics.FEED_TRADES_LATE.labels(symbol).inc()
            return
        self._desk.take(PublicTrade(symbol, price, amount, said.buyer_is_maker, said.sent_ms))

    def _follow(self, symbol: str, book: FollowedBook, change: Depth) -> bool:
        before = book.update_id
        if book.follow(change, self._market.clock.now_ms()):
            return True
        log.warning("feed_book_broken", symbol=symbol, update_id=before, next_first_id=change.first_id)
        self._want(symbol)
        return False

    def _is_late(self, said: Trade | AggTrade | Quote | Depth) -> bool:
        return isinstance(said, Trade) and self._market.clock.now_ms() - said.sent_ms > self._market.silence_ms_max

    def _is_new(self, symbol: str, stream: str, trade_id: int) -> bool:
        """Whether a trade was not told before. Says what is missing between it and the one told last."""
        last = self._ids.get(stream)
        if last is not None and trade_id <= last:
            metrics.FEED_TRADES_REPEATED.labels(symbol).inc()
            return False
        self._ids[stream] = trade_id
        if last is not None and trade_id > last + 1 and stream.endswith("@trade"):
            missed = trade_id - last - 1
            metrics.FEED_TRADES_MISSED.labels(symbol).inc(missed)
            log.warning("feed_trades_missed", symbol=symbol, first_id=last + 1, last_id=trade_id - 1, trades=missed)
        return True

    def _publish(self, symbol: str, stream: str, key: int, text: bytes) -> None:
        self._hub.publish(symbol, stream, key, lambda: text)
