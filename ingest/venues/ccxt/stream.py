"""One exchange of ccxt.pro at work: what it parsed, taken at that moment, and what ended it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, cast

from ares.clock import Clock
from ares.errors import AresError, VenueUnavailable
from ingest.feed import Channel, Frame
from ingest.venues.ccxt.client import Exchange, Handler
from ingest.venues.errors import FOREIGN, translated

FRAMES_MAX = 100_000
"""Frames that may wait for the collector; beyond, the connection is given up, which records a gap."""
Take = Callable[[object], None]


class Cache(Protocol):
    """Where ccxt keeps the newest trades of a symbol: a bounded list."""

    append: Take

    def __iter__(self) -> Iterator[object]: ...


class Trades(dict[str, object]):
    """ccxt's caches of trades, by symbol: whatever is put into one of them is taken, before it may fall out again."""

    def __init__(self, take: Take) -> None:
        super().__init__()
        self._take = take
        self._known: list[object] = []

    def __setitem__(self, symbol: str, cache: object) -> None:
        """Some handlers fill a cache before they put it here, some after."""
        super().__setitem__(symbol, cache)
        if any(known is cache for known in self._known):
            return
        for trade in list(cast("Iterable[object]", cache)):
            self._take(trade)
        if type(cache) is list:  # a handler that keeps them in a list puts a new one here each time
            return
        self._known.append(cache)
        kept = cast("Cache", cache)
        append = kept.append

        def take_too(trade: object) -> None:
            self._take(trade)
            append(trade)

        kept.append = take_too


class Tops(dict[str, object]):
    """ccxt's newest best bid and ask by symbol: each that is put here is taken, if it is not as the one before.

    `last`: the one before by symbol, which two such stores may share.
    """

    def __init__(self, take: Take, last: dict[str, object]) -> None:
        super().__init__()
        self._take = take
        self._last = last

    def __setitem__(self, symbol: str, ticker: object) -> None:
        super().__setitem__(symbol, ticker)
        said = ticker if isinstance(ticker, dict) else {}
        top = tuple(said.get(name) for name in ("bid", "bidVolume", "ask", "askVolume"))
        if self._last.get(symbol) != top:
            self._last[symbol] = top
            self._take(dict(said))


@dataclass(slots=True)
class Stream:
    """What arrived on a channel and was not yet taken by the collector; `end` is why nothing more will."""

    channel: Channel
    clock: Clock
    frames: list[Frame] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    heard: bool = False
    confirmed: bool = False
    closed: bool = False
    end: AresError | None = None
    stamped_ns: int = 0

    def tap(self, exchange: Exchange) -> None:
        """Take what an exchange parses, and learn of every line that it loses. It is not connected yet."""
        exchange.handle_message = self._listening(exchange.handle_message)
        exchange.on_close = self._noting(exchange.on_close)
        exchange.on_error = self._noting(exchange.on_error)
        if self.channel == "trades":
            exchange.trades = Trades(self.add)
        elif self.channel == "quotes":
            last: dict[str, object] = {}  # an exchange puts them here or there, or in both
            exchange.bidsasks, exchange.tickers = Tops(self.add, last), Tops(self.add, last)

    def _listening(self, handle: Handler) -> Handler:
        def listen(client: object, message: object) -> None:
            self.heard = True
            self.arrived.set()
            try:
                handle(client, message)
            except FOREIGN:  # raised here it would end ccxt's receiving, silently; it is kept as what it is
                self.add(message)
            for refused in getattr(client, "rejections", {}).values():  # a no that ccxt gives to nobody who waits
                self.lost(translated(refused))

        return listen

    def _noting(self, handle: Handler) -> Handler:
        """ccxt opens a line anew at the next call, and says nothing if nobody was waiting when it was lost."""

        def note(client: object, cause: object) -> None:
            handle(client, cause)
            self.lost(VenueUnavailable(f"{self.channel}: a line is lost: {str(cause)[:200]}"))

        return note

    def add(self, payload: object) -> None:
        """Keep a frame for the collector. Its stamp is its number too, so no two have the same."""
        if len(self.frames) >= FRAMES_MAX:
            self.lost(VenueUnavailable(f"{self.channel}: {FRAMES_MAX} frames wait to be stored"))
        if self.end is not None:
            return
        self.stamped_ns = max(self.stamped_ns + 1, self.clock.now_ns())
        self.frames.append(Frame(self.channel, payload, self.stamped_ns))
        self.arrived.set()

    def lost(self, cause: AresError) -> None:
        """Nothing more is taken: the first cause stands."""
        self.end = self.end or cause
        self.arrived.set()

    def take(self) -> list[Frame]:
        """Everything that waits."""
        taken, self.frames = self.frames, []
        self.arrived.clear()
        return taken

    async def next(self, timeout_s: float) -> bool:
        """Wait until something arrived, a sign of life or the end; whether it did in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.arrived.wait()
        except TimeoutError:
            return False
        return True
