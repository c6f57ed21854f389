"""The parts of ingest around one specimen, without a socket: what cases of frames and books are made of."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson

from ares.clock import NANOS_PER_SECOND
from ares.config.settings import IngestConfig, VenueConfig
from ares.model.market import Entry, Instrument, Trade, TradeRun
from ares.model.row import Storable
from ares.testing.clock import SteppedClock
from ingest.books import BookRoom, BookUpdate
from ingest.desk import Desk
from ingest.feed import Channel, Frame
from ingest.gaps import Cause
from ingest.validation import Limits
from ingest.venues.dialect import Snapshots
from ingest.venues.line import Line
from ingest.venues.native_feed import NativeFeed, Parts
from ingest.venues.rest import Asked
from ingest.venues.socket import Socket
from tests.conformance.market import Depth, Market
from tests.conformance.specimen import Payload, Speaker, Specimen

T0 = 1_700_000_000 * NANOS_PER_SECOND
LIMITS = Limits(event_ahead_s_max=60.0, price_jump_max=10.0)
BOOK_LEVELS = 20


class OfflineFeed(NativeFeed):
    """The feed of a venue that nobody connected: decodes as the real one, and keeps which books it should ask for."""

    def __init__(self, specimen: Specimen, clock: SteppedClock) -> None:
        self.resynced: list[str] = []

        async def markets(_symbols: Sequence[str]) -> Sequence[Instrument]:
            return specimen.instruments()

        parts = Parts(specimen.dialect, markets, no_snapshots, specimen.channels)
        ingest = IngestConfig(venue=specimen.name, symbols=specimen.symbols)
        super().__init__(specimen.name, parts, VenueConfig(), ingest, clock)

    def resync(self, symbol: str, channel: Channel) -> None:
        """Keep it."""
        self.resynced.append(symbol)

    def before_loss(self, channel: Channel, line: Line, frames: Sequence[Frame]) -> int:
        """How many of these frames come before one that was lost, where the venue counts them."""
        return self._before_loss(channel, line, frames)


def no_snapshots(_symbols: Mapping[str, str]) -> Snapshots:
    """Where a feed without a line gets its snapshots from."""
    raise AssertionError("a feed without a line asks for nothing")


@dataclass
class Bench:
    """A market, the venue that speaks of it, and a desk that listens."""

    specimen: Specimen
    market: Market
    feed: OfflineFeed
    desk: Desk
    speakers: dict[Channel, Speaker]
    received_ns: int = T0
    rows: list[Storable] = field(default_factory=list)
    lines: dict[Channel, Line] = field(default_factory=dict)
    breaks: int = 0

    def hear(self, channel: Channel, payloads: Iterable[Payload]) -> list[Storable]:
        """Let frames arrive together; what they become, kept in `rows` too. A frame after a lost one ends the line."""
        frames: list[Frame] = []
        for payload in payloads:
            self.received_ns += 1
            frames.append(Frame(channel, payload, self.received_ns))
        line = self.lines.setdefault(channel, unconnected())
        whole = self.feed.before_loss(channel, line, frames)
        rows = apart(self.desk.rows_of(self.feed, frames[:whole]))
        self.rows += rows
        if whole < len(frames):
            self.hang_up(channel, "disconnect")
        return rows

    def hang_up(self, channel: Channel, cause: Cause) -> None:
        """The line is lost with what was on it; the next one says nothing yet."""
        self.rows += self.desk.interrupted(channel, cause)
        self.lines[channel] = unconnected()
        self.speakers[channel] = self.specimen.speaker()
        self.breaks += 1

    def trade(self, symbol: str) -> bytes:
        """The frame of a new trade."""
        return self.speakers["trades"].trade(self.market.print_trade(symbol), self.market.venue_symbols[symbol])

    def quote(self, symbol: str) -> Payload:
        """The frame of a new best bid and ask."""
        if self.specimen.quotes_of_books:
            return self.payload(self.market.move_book(symbol), "quotes")
        return self.speakers["quotes"].quote(self.market.move_quote(symbol), self.market.venue_symbols[symbol])

    def move(self, symbol: str) -> Payload:
        """The frame of a change of a book."""
        return self.payload(self.market.move_book(symbol))

    def snapshot(self, symbol: str, channel: Channel = "books") -> Payload:
        """The book as it is now, by whichever way the venue sends it."""
        return self.payload(self.market.snapshot(symbol), channel)

    def payload(self, depth: Depth, channel: Channel = "books") -> Payload:
        """A change or snapshot as it arrives: a frame, or what REST answered."""
        frame = self.speakers[channel].depth(depth)
        if not depth.snapshot or self.specimen.snapshots_by_stream:
            return frame
        asked = Asked(self.specimen.name, depth.symbol, depth.venue_symbol, self.received_ns + 1)
        return self.specimen.words.read_book(orjson.loads(frame), asked)

    def begin_books(self, channel: Channel = "books") -> None:
        """Every symbol has its book."""
        for symbol in self.specimen.symbols:
            self.hear(channel, [self.snapshot(symbol, channel)])

    @property
    def room(self) -> BookRoom:
        """The books."""
        assert self.desk.room is not None
        return self.desk.room

    def book_is_true(self, symbol: str) -> bool:
        """Whether our book is the market's now."""
        book = self.room.books[symbol]
        state = self.market.states[symbol, self.market.update_ids[symbol]]
        return book.is_whole and (book.bids.amounts, book.asks.amounts) == state


async def bench_of(specimen: Specimen, seed: int = 1) -> Bench:
    """Everything new, nothing heard yet."""
    clock = SteppedClock(T0)
    feed = OfflineFeed(specimen, clock)
    await feed.open()
    desk = Desk(specimen.name, specimen.symbols, LIMITS, clock, room_of(specimen), dense_ids=specimen.dense_ids)
    rng = random.Random(seed)
    market = Market(specimen.name, specimen.venue_symbols, specimen.ids, rng, T0)
    return Bench(specimen, market, feed, desk, {channel: specimen.speaker() for channel in specimen.channels})


def unconnected() -> Line:
    """What is known of a line that was never opened."""
    return Line(cast("Socket", None))


def room_of(specimen: Specimen) -> BookRoom:
    """A room that hands out every change."""
    rules = specimen.dialect.book_rules
    return BookRoom(rules.follows, BOOK_LEVELS, 0, rules.checksum)


def updates_of(events: Iterable[object]) -> list[BookUpdate]:
    """Changes of books, and nothing else."""
    updates = [event for event in events if isinstance(event, BookUpdate)]
    assert len(updates) == len(list(events)), events
    return updates


def trades_in(rows: Iterable[Storable], symbol: str) -> list[Trade]:
    """The trades of a symbol among rows."""
    return [row for row in rows if isinstance(row, Trade) and row.symbol == symbol]


def unhealed(rows: Iterable[Storable], channel: Channel, symbol: str) -> list[Storable]:
    """The newest revision of every gap that is not healed."""
    newest: dict[object, Storable] = {}
    for row in rows:
        if row.table == "gaps" and (row.symbols["channel"], row.symbols["symbol"]) == (channel, symbol):
            newest[row.columns["gap_id"]] = row
    return [row for row in newest.values() if row.symbols["status"] != "healed"]


def apart(entries: Iterable[Entry]) -> list[Storable]:
    """The rows of all entries, one by one."""
    rows: list[Storable] = []
    for entry in entries:
        if isinstance(entry, TradeRun):
            rows += entry.trades()
        else:
            rows.append(entry)
    return rows
