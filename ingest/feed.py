"""What the collector needs of a venue: a live stream of frames, its history, and the words for what was refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Literal, Protocol, overload

import msgspec

from ares.config.settings import IngestConfig
from ares.errors import VenueError, VenueUnavailable
from ares.model.market import Bar, Book, Funding, Instrument, Quote, Trade, TradeRun
from ares.model.row import Row
from ingest.books import BookUpdate, Follows, OrderBook
from ingest.funding import FundingUpdate

Channel = Literal["trades", "quotes", "books", "funding"]
SPOT: tuple[Channel, ...] = ("trades", "quotes", "books")
PERPETUALS: tuple[Channel, ...] = (*SPOT, "funding")
WITHOUT_IDS: tuple[Channel, ...] = ("quotes", "books", "funding")
"""Channels whose outages are ranges of time; nobody can fetch again what they missed."""
MarketEvent = Trade | Quote | Book | BookUpdate | FundingUpdate
RAW_CHARACTERS_MAX = 4_000


class ChainBroken(VenueUnavailable):
    """Updates of a book are missing between two frames; it must be taken anew."""

    code = "chain_broken"


class Silence(VenueError):
    """A stream is open, but nothing comes."""

    code = "silence"


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message as it came off the wire, stamped at arrival (UTC ns)."""

    channel: Channel
    payload: object
    received_at_ns: int


class Frames(Sequence[Frame]):
    """Messages of one channel in order of arrival, in columns: a `Frame` is made of one when somebody asks for it."""

    __slots__ = ("channel", "payloads", "receipts_ns")

    def __init__(self, channel: Channel, payloads: list[object], receipts_ns: list[int]) -> None:
        self.channel = channel
        self.payloads = payloads
        self.receipts_ns = receipts_ns

    @classmethod
    def of(cls, channel: Channel, frames: Iterable[Frame]) -> Frames:
        """The same messages in columns."""
        some = list(frames)
        return cls(channel, [frame.payload for frame in some], [frame.received_at_ns for frame in some])

    def __len__(self) -> int:
        return len(self.payloads)

    @overload
    def __getitem__(self, place: int) -> Frame: ...
    @overload
    def __getitem__(self, place: slice[int | None, int | None, int | None]) -> Frames: ...
    def __getitem__(self, place: int | slice[int | None, int | None, int | None]) -> Frame | Frames:
        if isinstance(place, slice):
            return Frames(self.channel, self.payloads[place], self.receipts_ns[place])
        return Frame(self.channel, self.payloads[place], self.receipts_ns[place])

    def __iter__(self) -> Iterator[Frame]:
        return map(Frame, repeat(self.channel), self.payloads, self.receipts_ns)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A frame or row that we refuse: which field, why, and its raw text, cut to a bounded size."""

    channel: str
    field: str
    reason: str
    raw: str
    received_at_ns: int
    symbol: str = ""

    def to_row(self, venue: str) -> Row:
        symbols = {"venue": venue, "channel": self.channel, "field": self.field}
        if self.symbol:
            symbols["symbol"] = self.symbol
        digest = hashlib.sha256(self.raw.encode()).hexdigest()[:32]
        columns = {"reason": clean(self.reason)[:500], "digest": digest, "raw": self.raw[:RAW_CHARACTERS_MAX]}
        return Row("quarantine", self.received_at_ns, symbols, columns)


@dataclass(frozen=True, slots=True)
class TradePage:
    """A page of a venue's trade history, in order of id, and what of it was not understood."""

    trades: Sequence[Trade]
    rejected: Sequence[Rejected] = ()


@dataclass(frozen=True, slots=True)
class BookRules:
    """A venue's own way to follow a book, and to check it where it sends a checksum."""

    follows: Follows
    checksum: Callable[[OrderBook], int] | None = None


class Reading(Protocol):
    """What frames are read by: a feed, or a recording of one."""

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says, if anything. Raises `MalformedFrame`, and nothing else, whatever the frame holds."""
        ...

    def runs(self, frames: Sequence[Frame]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol in order of arrival; None means: decode each."""
        ...

    def resync(self, symbol: str, channel: Channel) -> None:
        """The book of this symbol is no longer believed: get a new snapshot into the frames of this channel."""
        ...

    def renew(self, channel: Channel) -> None:
        """The connection of this channel is open and does not bring what the venue has: end it as a `Silence`."""
        ...


class Feed(Protocol):
    """The live side of a venue."""

    @property
    def venue(self) -> str:
        """Its name in rows."""
        ...

    @property
    def channels(self) -> Sequence[Channel]:
        """What the venue streams; each has a connection of its own."""
        ...

    def reconfigure(self, ingest: IngestConfig) -> None:
        """Collect by these settings from now on; the symbols stay those of the start."""
        ...

    async def open(self) -> Sequence[Instrument]:
        """Learn the venue's markets. Raises `VenueUnavailable`, or `UnknownSymbol` for a symbol it does not list."""
        ...

    def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        """Connect and yield what arrives, never ending by itself. Raises `VenueError` when the stream is lost."""
        ...

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says, if anything. Raises `MalformedFrame`, and nothing else, whatever the frame holds."""
        ...

    def runs(self, frames: Sequence[Frame]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol in order of arrival; None means: decode each."""
        ...

    @property
    def book_rules(self) -> BookRules:
        """How the changes of its books follow one another."""
        ...

    def resync(self, symbol: str, channel: Channel) -> None:
        """The book of this symbol is no longer believed: get a new snapshot into the frames of this channel."""
        ...

    def renew(self, channel: Channel) -> None:
        """The connection of this channel is open and does not bring what the venue has: end it as a `Silence`."""
        ...

    def is_live(self, channel: Channel) -> bool:
        """Whether the venue confirmed the subscription of the connection that is open now."""
        ...

    async def close(self) -> None:
        """Let go of every connection."""
        ...


class History(Protocol):
    """The asking side of a venue. Every method raises `VenueUnavailable` or `VenueRejected`."""

    async def trades(self, symbol: str, from_seq: int, count: int) -> TradePage:
        """Trades with ids from `from_seq` on, at most `count` (≤ 1000)."""
        ...

    async def latest_trade(self, symbol: str) -> Trade | None:
        """The newest trade, or None if there never was one."""
        ...

    async def newest_trades(self, symbol: str) -> TradePage:
        """As many of the newest trades as one answer holds: none between the oldest and the newest is left out."""
        ...

    async def first_since(self, symbol: str, since_ns: int) -> Trade | None:
        """The first trade at or after a moment, None if there is none yet."""
        ...

    async def book(self, symbol: str) -> BookUpdate:
        """A snapshot of the book; `VenueRejected` where the venue has them only on its stream."""
        ...

    async def bars(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Bar]:
        """The venue's closed one-minute candles that start in [start_ns, end_ns), in order; at most 1000."""
        ...


class FundingHistory(Protocol):
    """What a venue with perpetuals can be asked as well. Raises `VenueUnavailable` or `VenueRejected`."""

    async def funding(self, symbol: str, start_ns: int, end_ns: int) -> Sequence[Funding]:
        """The rates that were settled in [start_ns, end_ns), in order."""
        ...


def raw_text(payload: object) -> str:
    """The payload as bounded, storable text, whatever it is."""
    if isinstance(payload, bytes):
        return clean(payload[:RAW_CHARACTERS_MAX].decode("utf-8", "backslashreplace"))[:RAW_CHARACTERS_MAX]
    try:
        text = payload if isinstance(payload, str) else json.dumps(payload, default=repr, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        text = repr(type(payload))
    return clean(text)[:RAW_CHARACTERS_MAX]


def clean(text: str) -> str:
    """Text that UTF-8 can hold and a terminal can show: lone surrogates and control characters are escaped."""
    encodable = text.encode("utf-8", errors="backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in encodable)
