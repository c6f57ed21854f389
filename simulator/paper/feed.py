"""Follows a venue's public stream until cancelled: connects, gets snapshots, and begins anew when the line is lost."""

from __future__ import annotations

import asyncio
import random
from itertools import count

import aiohttp
import orjson

from ares.clock import NANOS_PER_MILLI, Clock
from ares.errors import MalformedFrame, OperatingError, VenueError, VenueUnavailable
from ares.resilience import Backoff
from ares.telemetry import get_logger, metrics
from simulator.bars import INTERVALS_MS
from simulator.desk import Desk
from simulator.hub import Hub
from simulator.paper.intake import KINDS, Intake
from simulator.paper.market import PaperMarket
from simulator.paper.upstream import FeedOptions, Upstream

MIND_S = 0.25
"""Books are looked at this often: one that is not whole, or of which nothing was heard for half the time that is
allowed, is asked for."""
FIRST_REQUEST = 1
PASSED_ON = frozenset({"miniTicker", "depth", *(f"kline_{interval}" for interval in INTERVALS_MS)})
"""Streams beside those that are always asked for, once somebody listens to them."""

log = get_logger(__name__)


class Feed:
    """The only one who changes the market's books. `trouble` is what it last failed of, "" while it works."""

    def __init__(self, options: FeedOptions, upstream: Upstream, market: PaperMarket, hub: Hub, clock: Clock) -> None:
        self._options = options
        self._upstream = upstream
        self._market = market
        self._hub = hub
        self._clock = clock
        self._intake: Intake | None = None
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret
        self._backoff = Backoff(options.backoff_s_min, options.backoff_s_max, self._rng)
        self._wanted: asyncio.Queue[str] = asyncio.Queue()
        self._asked_for: set[str] = set()
        self.trouble = "not connected yet"

    def serve(self, desk: Desk) -> None:
        """Whose orders meet this market."""
        self._intake = Intake(self._market, self._hub, desk, self._want)

    async def run(self) -> None:
        """Until cancelled. An exception is a bug, or the account's journal that cannot be written."""
        while True:
            cause: BaseException | None = None
            try:
                await self._follow()
            except* (VenueError, MalformedFrame) as lost:
                cause = lost.exceptions[0]
            self._lose(cause)
            wait_s = self._backoff.next_wait_s()
            if isinstance(cause, VenueUnavailable) and cause.retry_after_s:
                wait_s = max(wait_s, cause.retry_after_s)
            log.warning("feed_lost", venue=self._options.venue, cause=self.trouble, wait_s=wait_s)
            await self._clock.sleep(wait_s)

    async def _follow(self) -> None:
        """One connection. Raises a group of what it ended by."""
        async with asyncio.TaskGroup() as helpers:
            helpers.create_task(self._listen(helpers), name="feed")

    async def _listen(self, helpers: asyncio.TaskGroup) -> None:
        async with self._upstream.stream() as socket:
            names = self._names()
            await _ask(socket, names, FIRST_REQUEST)
            metrics.FEED_CONNECTS.inc()
            log.info("feed_connected", venue=self._options.venue, streams=len(names))
            tasks = [helpers.create_task(self._fetch()), helpers.create_task(self._mind(socket, set(names)))]
            try:
                await self._read(socket)
            finally:
                for task in tasks:
                    task.cancel()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        assert self._intake is not None, "serve() comes first"
        while True:
            try:
                async with asyncio.timeout(self._options.silence_s_max):
                    message = await socket.receive()
            except TimeoutError:
                raise VenueUnavailable(f"no frame for {self._options.silence_s_max} s") from None
            if message.type not in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                raise VenueUnavailable(f"the stream ended: {message.type.name} {socket.close_code}")
            self._intake.take(message.data)

    async def _fetch(self) -> None:
        """Get the snapshots that are wanted, one after the other."""
        assert self._intake is not None, "serve() comes first"
        while True:
            symbol = await self._wanted.get()
            try:
                asked_ms = self._clock.now_ns() // NANOS_PER_MILLI
                if not self._market.books[symbol].whole:
                    price = await self._upstream.last_price(symbol)
                    self._market.traded(symbol, price.value)
                snapshot = await self._upstream.snapshot(symbol)
                metrics.FEED_SNAPSHOTS.labels(symbol).inc()
                self._intake.load(symbol, snapshot, asked_ms)
            except (VenueError, MalformedFrame) as error:
                wait_s = self._backoff.next_wait_s()
                log.warning("feed_snapshot_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
                self._wanted.put_nowait(symbol)
                await self._clock.sleep(wait_s)
                continue
            self._asked_for.discard(symbol)
            self._heard()

    async def _mind(self, socket: aiohttp.ClientWebSocketResponse, carried: set[str]) -> None:
        """Ask for what nothing was heard of, and for streams that somebody came to listen to."""
        for number in count(FIRST_REQUEST + 1):
            await self._clock.sleep(MIND_S)
            for symbol, book in self._market.books.items():
                if not book.whole or self._market.age_ms(symbol) > self._market.silence_ms_max / 2:
                    self._want(symbol)
                metrics.FEED_OPEN.labels(symbol).set(self._market.is_open(symbol))
            more = self._listened() - carried
            if more:
                carried |= more
                await _ask(socket, sorted(more), number)

    def _heard(self) -> None:
        """Once every book is whole the line has proved itself."""
        if all(book.whole for book in self._market.books.values()):
            self._backoff.reset()
            self.trouble = ""

    def _lose(self, cause: BaseException | None) -> None:
        assert self._intake is not None, "serve() comes first"
        self._intake.lose()
        while not self._wanted.empty():
            self._wanted.get_nowait()
        self._asked_for.clear()
        self.trouble = str(cause) if isinstance(cause, OperatingError) else "the stream ended"
        for symbol in self._market.symbols:
            metrics.FEED_OPEN.labels(symbol).set(0)

    def _want(self, symbol: str) -> None:
        if symbol not in self._asked_for:
            self._asked_for.add(symbol)
            self._wanted.put_nowait(symbol)

    def _names(self) -> list[str]:
        ours = {f"{symbol.lower()}@{kind}" for symbol in self._market.symbols for kind in KINDS}
        return sorted(ours | self._listened())

    def _listened(self) -> set[str]:
        """Streams of our symbols that somebody listens to; what the venue may not know would cost us the line."""
        return {name for name in self._hub.streams() if self._is_known(*name.split("@", 1))}

    def _is_known(self, name: str, kind: str) -> bool:
        return name.upper() in self._market.books and kind in PASSED_ON


async def _ask(socket: aiohttp.ClientWebSocketResponse, names: list[str], number: int) -> None:
    """Subscribe. Raises `VenueUnavailable`."""
    try:
        await socket.send_bytes(orjson.dumps({"method": "SUBSCRIBE", "params": names, "id": number}))
    except (aiohttp.ClientError, OSError) as error:
        raise VenueUnavailable(f"the stream ended: {error}") from None
