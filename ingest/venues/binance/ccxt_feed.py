"""Binance through ccxt.pro: its connections, subscriptions and maintained books; the frames themselves we take raw.

ccxt hands out the newest state between two calls and keeps a bounded cache of trades, so that a burst is lost silently.
Hence every frame is taken at arrival, before ccxt looks at it, and ccxt's `watch_…` calls only keep the connection and
tell when it is lost. One client per connection, thrown away with it: none of ccxt's state outlives a failure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import VenueUnavailable
from ares.model.market import Instrument
from ares.resilience import to_the_end
from ares.telemetry import get_logger, metrics
from ingest.feed import SPOT, BookRules, Channel, Frame, MarketEvent, Silence
from ingest.venues.binance.client import BinanceClient, create_client
from ingest.venues.binance.decoder import decode_book, decode_quote, decode_trade, follows
from ingest.venues.binance.rest import SNAPSHOT_LEVELS, BinanceWords
from ingest.venues.budget import ConnectBudget
from ingest.venues.client import load_markets
from ingest.venues.errors import FOREIGN, translated
from ingest.venues.markets import instruments_of
from ingest.venues.wire import Names

log = get_logger(__name__)

AGGREGATE_TRADES = {"name": "aggTrade"}
FRAMES_MAX = 100_000
"""Frames that may wait for the collector; beyond, the connection is given up, which records a gap."""


@dataclass(slots=True)
class Stream:
    """One open connection: what arrived on it and was not yet taken."""

    client: BinanceClient
    channel: Channel
    frames: list[Frame] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    confirmed: bool = False
    overflowed: bool = False
    given_up: bool = False
    books_taken: dict[str, tuple[int, object]] = field(default_factory=dict)

    def add(self, payload: object, received_at_ns: int) -> None:
        """Keep a frame for the collector."""
        if len(self.frames) >= FRAMES_MAX:
            self.overflowed = True
        else:
            self.frames.append(Frame(self.channel, payload, received_at_ns))
        self.arrived.set()

    def take(self) -> list[Frame]:
        """Everything that waits."""
        taken, self.frames = self.frames, []
        self.arrived.clear()
        return taken


class BinanceFeed:
    """The live side of a venue that speaks Binance's spot protocol.

    >>> feed = BinanceFeed("sim", config.venues["sim"], config.ingest, SystemClock())
    >>> instruments = await feed.open()
    >>> async for frames in feed.frames("trades"): ...
    """

    def __init__(self, venue: str, config: VenueConfig, ingest: IngestConfig, clock: Clock) -> None:
        self._venue = venue
        self._config = config
        self._ingest = ingest
        self._clock = clock
        self._markets: BinanceClient | None = None
        self._names = Names(venue, {})
        self._streams: dict[Channel, Stream] = {}
        self._budget = ConnectBudget(venue, config.connects_per_minute_max, clock)

    @property
    def venue(self) -> str:
        """Its name in rows."""
        return self._venue

    @property
    def channels(self) -> Sequence[Channel]:
        """What the venue streams; each has a connection of its own."""
        return SPOT

    def reconfigure(self, ingest: IngestConfig) -> None:
        """Books and silences by these settings from now on; the symbols stay those of the start."""
        self._ingest = ingest

    async def open(self) -> Sequence[Instrument]:
        """Learn the venue's markets. Raises `VenueUnavailable`, `VenueRejected`, or `UnknownSymbol`."""
        client = create_client(self._venue, self._config)
        markets = await load_markets(client)
        self._markets = client
        instruments = instruments_of(BinanceWords(), self._venue, markets, self._ingest.symbols)
        self._names = Names(self._venue, {each.venue_symbol: each.symbol for each in instruments})
        return instruments

    async def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        """Connect and yield what arrives, never ending by itself. Raises `VenueError` when the stream is lost."""
        assert self._markets is not None, "open() comes first"
        await self._budget.spend()
        client = create_client(self._venue, self._config)
        client.set_markets_from_exchange(self._markets)
        stream = Stream(client, channel)
        client.handle_message = partial(self._tap, stream, client.handle_message)
        self._streams[channel] = stream
        connection = asyncio.create_task(self._hold(stream), name=f"{self._venue}-{channel}")
        try:
            while True:
                await self._wait(stream, connection)
                if stream.frames:
                    yield stream.take()
                elif connection.done():
                    connection.result()
        finally:
            stream.confirmed = False
            await to_the_end(_let_go(connection, client))

    async def _wait(self, stream: Stream, connection: asyncio.Task[None]) -> None:
        """Until something arrived or the connection is lost. Raises `Silence` when neither happens for too long."""
        arrived = asyncio.create_task(stream.arrived.wait())
        try:
            done, _ = await asyncio.wait(
                {arrived, connection}, timeout=self._ingest.silence_s_max, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            arrived.cancel()
        if stream.given_up:
            raise Silence(f"{stream.channel} of {self._venue}: the venue has what this line does not bring")
        if not done:
            raise Silence(f"{stream.channel} of {self._venue}: no frame for {self._ingest.silence_s_max} s")
        if stream.overflowed:
            raise VenueUnavailable(f"{stream.channel} of {self._venue}: {FRAMES_MAX} frames wait to be stored")

    async def _hold(self, stream: Stream) -> None:
        """Keep the subscription alive; ends only by raising what ended it."""
        watch = self._watch_of(stream)
        turn = asyncio.ensure_future(watch())
        deferred_s: float | None = None
        try:
            while True:
                done, _ = await asyncio.wait({turn}, timeout=deferred_s)
                if done:
                    turn.result()
                    turn = asyncio.ensure_future(watch())
                if stream.channel == "books":
                    deferred_s = self._take_books(stream)
        except FOREIGN as error:
            raise translated(error, stream.client.last_response_headers) from None
        finally:
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)

    def _watch_of(self, stream: Stream) -> Callable[[], Awaitable[object]]:
        symbols = list(self._ingest.symbols)
        client = stream.client
        if stream.channel == "trades":
            return partial(client.watch_trades_for_symbols, symbols, None, None, AGGREGATE_TRADES)
        if stream.channel == "quotes":
            return partial(client.watch_bids_asks, symbols)
        return partial(client.watch_order_book_for_symbols, symbols, SNAPSHOT_LEVELS)

    def _take_books(self, stream: Stream) -> float | None:
        """Copy the tops of the books that changed, each symbol at most once in `book_s_min`.

        Returns the seconds until a change that came too soon may be taken, None if there is none.
        """
        now_ns = self._clock.now_ns()
        waits_ns: list[int] = []
        for venue_symbol, symbol in self._names.by_venue_symbol.items():
            book = stream.client.orderbooks.get(symbol)
            taken_ns, taken_nonce = stream.books_taken.get(symbol, (0, None))
            if book is None or book.get("nonce") in (None, taken_nonce):
                continue
            wait_ns = taken_ns + round(self._ingest.book_s_min * NANOS_PER_SECOND) - now_ns
            if wait_ns > 0:
                waits_ns.append(wait_ns)
                continue
            stream.books_taken[symbol] = (now_ns, book.get("nonce"))
            stream.add(top_of(book, venue_symbol, self._ingest.book_levels), now_ns)
        return min(waits_ns) / NANOS_PER_SECOND if waits_ns else None

    def _tap(self, stream: Stream, pass_on: Callable[[object, object], None], client: object, message: object) -> None:
        """Called by ccxt with every decoded message, before it does anything with it itself."""
        received_at_ns = self._clock.now_ns()
        if not stream.confirmed:
            stream.confirmed = True
            metrics.INGEST_CONNECTS.labels(stream.channel, "ok").inc()
            log.info("feed_connected", venue=self._venue, channel=stream.channel)
        if stream.channel != "books" and not is_answer(message):
            stream.add(unwrapped(message), received_at_ns)
            return
        try:
            pass_on(client, message)
        except FOREIGN:  # ccxt chokes on it; raised here it would end ccxt's receiving, silently
            stream.add(message, received_at_ns)

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else, whatever the frame holds."""
        if frame.channel == "trades":
            return (decode_trade(frame.payload, self._names, frame.received_at_ns),)
        if frame.channel == "quotes":
            return (decode_quote(frame.payload, self._names, frame.received_at_ns),)
        return (decode_book(frame.payload, self._names, frame.received_at_ns),)

    def runs(self, frames: Sequence[Frame]) -> None:
        """What ccxt has parsed already is not worth gathering."""

    @property
    def book_rules(self) -> BookRules:
        """Not asked for: ccxt follows the books, and these are its tops."""
        return BookRules(follows)

    def resync(self, symbol: str, channel: Channel) -> None:
        """ccxt gives the connection up when a chain breaks, and builds the book anew."""

    def renew(self, channel: Channel) -> None:
        """The connection of this channel is open and does not bring what the venue has: end it as a `Silence`."""
        stream = self._streams.get(channel)
        if stream is not None:
            stream.given_up = True
            stream.arrived.set()

    def is_live(self, channel: Channel) -> bool:
        """Whether the venue answered on the connection that is open now."""
        stream = self._streams.get(channel)
        return stream is not None and stream.confirmed

    async def close(self) -> None:
        """Every connection belongs to a `frames` iterator, which closes it; nothing is left to do."""


async def _let_go(connection: asyncio.Task[None], client: BinanceClient) -> None:
    connection.cancel()
    await asyncio.gather(connection, return_exceptions=True)
    await client.close()


def is_answer(message: object) -> bool:
    """Whether a message answers a request of ours (subscription confirmed or refused) and is no market data."""
    return isinstance(message, dict) and "id" in message and ("result" in message or "error" in message)


def unwrapped(message: object) -> object:
    """The frame itself, where the venue wraps it as {"stream": …, "data": …}."""
    if isinstance(message, dict) and "stream" in message and "data" in message:
        return message["data"]
    return message


def top_of(book: Mapping[str, object], venue_symbol: str, levels: int) -> dict[str, object]:
    """The best levels of a book that ccxt maintains, as a frame for `decode_book`."""
    sides = {side: [list(level) for level in _levels(book[side])[:levels]] for side in ("bids", "asks")}
    return {"s": venue_symbol, "u": book.get("nonce"), "E": book.get("timestamp"), **sides}


def _levels(side: object) -> list[Sequence[float]]:
    assert isinstance(side, list), "ccxt's book side is a list"
    return side
