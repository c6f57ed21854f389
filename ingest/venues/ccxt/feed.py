"""Any venue through ccxt.pro: its connections, subscriptions, parsers and books; nothing is left to its caches.

ccxt hands out what came between two calls, as far as its bounded cache holds it: a burst loses trades, and a line that
breaks between two calls is opened anew without a word. Hence trades and best prices are taken at the moment when ccxt
puts them into its stores, whoever waits or does not, and every line that closes ends the channel, which is a gap. The
`watch_…` calls only keep the subscriptions. One exchange per connection, thrown away with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from functools import partial

from ares.clock import Clock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import ConfigError
from ares.model.market import Instrument
from ares.resilience import to_the_end
from ares.telemetry import get_logger, metrics
from ingest.books import BookUpdate, Fit
from ingest.feed import BookRules, Channel, Frame, MarketEvent, Silence
from ingest.venues.budget import ConnectBudget
from ingest.venues.ccxt.client import Exchange, create_exchange, precision_of
from ingest.venues.ccxt.decoder import decode_book, decode_quote, decode_trade
from ingest.venues.ccxt.stream import Stream
from ingest.venues.ccxt.words import CcxtWords
from ingest.venues.client import load_markets
from ingest.venues.errors import FOREIGN, translated
from ingest.venues.markets import instruments_of
from ingest.venues.wire import Names

log = get_logger(__name__)

CALLS: Mapping[Channel, str] = {"trades": "watchTrades", "quotes": "watchBidsAsks", "books": "watchOrderBook"}
"""What a venue must have for a channel, in ccxt's words."""
Watch = Callable[[], Awaitable[object]]


class CcxtFeed:
    """The live side of a venue that ccxt.pro knows.

    >>> feed = CcxtFeed("bitstamp", config.venues["bitstamp"], config.ingest, SystemClock())
    >>> instruments = await feed.open()
    >>> async for frames in feed.frames("trades"): ...
    """

    def __init__(self, venue: str, config: VenueConfig, ingest: IngestConfig, clock: Clock) -> None:
        self._venue = venue
        self._config = config
        self._ingest = ingest
        self._clock = clock
        self._names = Names(venue, {})
        self._source = create_exchange(venue, config)
        self._channels = [channel for channel, call in CALLS.items() if self._source.has.get(call)]
        self._streams: dict[Channel, Stream] = {}
        self._budget = ConnectBudget(venue, config.connects_per_minute_max, clock)
        if "trades" not in self._channels:
            problem = "ccxt.pro does not stream its trades"
            raise ConfigError(f"venues.{venue}.ccxt_id", config.ccxt_id, problem, "Name another venue")

    @property
    def venue(self) -> str:
        """Its name in rows."""
        return self._venue

    @property
    def channels(self) -> Sequence[Channel]:
        """What ccxt.pro streams of the venue; each has a connection of its own."""
        return self._channels

    def reconfigure(self, ingest: IngestConfig) -> None:
        """Books and silences by these settings from now on; the symbols stay those of the start."""
        self._ingest = ingest

    async def open(self) -> Sequence[Instrument]:
        """Learn the venue's spot markets. Raises `VenueUnavailable`, `VenueRejected`, or `UnknownSymbol`."""
        listed = await load_markets(self._source)
        spot = {symbol: market for symbol, market in listed.items() if market.get("spot")}
        words = CcxtWords(self._config.ccxt_id, precision_of(self._source))
        instruments = instruments_of(words, self._venue, spot, self._ingest.symbols)
        self._names = Names(self._venue, {each.venue_symbol: each.symbol for each in instruments})
        return instruments

    async def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        """Connect and yield what arrives, never ending by itself. Raises `VenueError` when a line is lost."""
        await self._budget.spend()
        exchange = create_exchange(self._venue, self._config)
        exchange.set_markets_from_exchange(self._source)
        stream = self._streams[channel] = Stream(channel, self._clock)
        stream.tap(exchange)
        tasks = [asyncio.create_task(self._keep(stream, exchange, watch)) for watch in self._watches(exchange, channel)]
        if channel == "books":
            tasks.append(asyncio.create_task(self._copy_books(stream, exchange)))
        try:
            while True:
                heard = await stream.next(self._ingest.silence_s_max)
                self._welcome(stream)
                if frames := stream.take():
                    yield frames
                elif stream.end is not None:
                    raise stream.end
                elif not heard:
                    raise Silence(f"{channel} of {self._venue}: nothing for {self._ingest.silence_s_max} s")
                for task in tasks:
                    if task.done():
                        task.result()
        finally:
            stream.closed = True
            await to_the_end(_let_go(tasks, exchange))

    def _welcome(self, stream: Stream) -> None:
        if stream.heard and not stream.confirmed:
            stream.confirmed = True
            metrics.INGEST_CONNECTS.labels(stream.channel, "ok").inc()
            log.info("feed_connected", venue=self._venue, channel=stream.channel)

    def _watches(self, exchange: Exchange, channel: Channel) -> list[Watch]:
        """What keeps the subscriptions: one call for all symbols where there is one."""
        symbols = list(self._names.by_venue_symbol.values())
        if channel == "quotes":
            return [partial(exchange.watch_bids_asks, symbols)]
        together = exchange.has.get(f"{CALLS[channel]}ForSymbols")
        if channel == "trades":
            each, all_of_them = exchange.watch_trades, exchange.watch_trades_for_symbols
        else:
            each, all_of_them = exchange.watch_order_book, exchange.watch_order_book_for_symbols
        return [partial(all_of_them, symbols)] if together else [partial(each, symbol) for symbol in symbols]

    async def _keep(self, stream: Stream, exchange: Exchange, watch: Watch) -> None:
        """Keep a subscription until the line is lost. What is returned is not looked at: it was taken before."""
        try:
            while True:
                await watch()
        except FOREIGN as error:
            stream.lost(translated(error, exchange.last_response_headers))

    async def _copy_books(self, stream: Stream, exchange: Exchange) -> None:
        """Copy the tops of the books that changed, each symbol at most once in `book_s_min`."""
        taken: dict[str, object] = {}
        while True:
            for symbol in self._names.by_venue_symbol.values():
                top = top_of(exchange.orderbooks.get(symbol), symbol, self._ingest.book_levels)
                if top is not None and top != taken.get(symbol):
                    taken[symbol] = top
                    stream.add(top)
            await self._clock.sleep(self._ingest.book_s_min)

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says. Raises `MalformedFrame`, and nothing else, whatever the frame holds."""
        if frame.channel == "trades":
            return (decode_trade(frame.payload, self._names, frame.received_at_ns),)
        if frame.channel == "quotes":
            return decode_quote(frame.payload, self._names, frame.received_at_ns)
        return (decode_book(frame.payload, self._names, frame.received_at_ns),)

    def runs(self, frames: Sequence[Frame]) -> None:
        """What ccxt has parsed already is not worth gathering."""

    @property
    def book_rules(self) -> BookRules:
        """Not asked for: ccxt follows the books, and these are its tops."""
        return BookRules(never)

    def resync(self, symbol: str, channel: Channel) -> None:
        """ccxt gives the connection up when a chain breaks, and builds the book anew."""

    def renew(self, channel: Channel) -> None:
        """The connection of this channel is open and does not bring what the venue has: end it as a `Silence`."""
        stream = self._streams.get(channel)
        if stream is not None:
            stream.lost(Silence(f"{channel} of {self._venue}: the venue has what this line does not bring"))

    def is_live(self, channel: Channel) -> bool:
        """Whether something came on the connection that is open now."""
        stream = self._streams.get(channel)
        return stream is not None and stream.confirmed and stream.end is None and not stream.closed

    async def close(self) -> None:
        """Every connection belongs to a `frames` iterator, which closes it; nothing is left to do."""


def never(last_id: int, update: BookUpdate, first: bool) -> Fit:
    """No change of a book comes here."""
    raise AssertionError(f"{update.symbol}: {update.last_id} after {last_id}, first: {first}")


def top_of(book: Mapping[str, object] | None, symbol: str, levels: int) -> dict[str, object] | None:
    """The best levels of a book that ccxt keeps, as a frame; None while it has none of a side."""
    if book is None:
        return None
    sides = {name: [list(level[:2]) for level in list(_side(book[name]))[:levels]] for name in ("bids", "asks")}
    return {"symbol": symbol, "timestamp": book.get("timestamp"), **sides} if all(sides.values()) else None


def _side(side: object) -> list[Sequence[float]]:
    assert isinstance(side, list), "ccxt's book side is a list"
    return side


async def _let_go(tasks: Sequence[asyncio.Task[None]], exchange: Exchange) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await exchange.close()
