"""A venue on a real socket that says what it is told to say, and remembers what it heard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

from aiohttp import WSMsgType, web

from ares.clock import SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.model.market import Instrument
from ingest.books import BookUpdate
from ingest.feed import Channel, Frame
from ingest.venues.dialect import Dialect, Snapshots
from ingest.venues.native_feed import NativeFeed, Parts


@dataclass
class SaidVenue:
    """`greeting` comes on every connection; `answers` says what follows a message that was heard."""

    answers: Callable[[str], Sequence[bytes]]
    greeting: Sequence[bytes] = ()
    heard: list[str] = field(default_factory=list)
    connections: int = 0

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        self.connections += 1
        line = web.WebSocketResponse()
        await line.prepare(request)
        for said in self.greeting:
            await line.send_str(said.decode())
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                continue
            self.heard.append(message.data)
            for said in self.answers(message.data):
                await line.send_str(said.decode())
        return line


class Nowhere:
    """Where no snapshot comes from: the stream brings them."""

    async def book(self, symbol: str) -> BookUpdate:
        raise AssertionError(f"the stream brings the book of {symbol}")

    async def close(self) -> None:
        return


def no_snapshots(_symbols: Mapping[str, str]) -> Snapshots:
    return Nowhere()


@asynccontextmanager
async def feed_of(venue: SaidVenue, name: str, dialect: Dialect, names: Mapping[str, str]) -> AsyncIterator[NativeFeed]:
    """A feed of that dialect, connected to nothing yet; `names`: the venue's own ("BTC-USD") → ours ("BTC/USD")."""

    async def markets(_symbols: Sequence[str]) -> Sequence[Instrument]:
        step = Decimal("0.01")
        pairs = [(ours, theirs, *ours.partition("/")[::2]) for theirs, ours in names.items()]
        return [Instrument(name, *pair, step, step, step, step, step) for pair in pairs]

    app = web.Application()
    app.router.add_get("/{path:.*}", venue.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    config = VenueConfig(ws_url=f"ws://127.0.0.1:{runner.addresses[0][1]}")
    ingest = IngestConfig(venue=name, symbols=tuple(names.values()), book_s_min=0.05)
    try:
        feed = NativeFeed(name, Parts(dialect, markets, no_snapshots), config, ingest, SystemClock())
        await feed.open()
        yield feed
    finally:
        await runner.cleanup()


async def listen(feed: NativeFeed, channel: Channel, take: Callable[[Sequence[Frame]], object]) -> None:
    """Give `take` what arrives until the line ends with an error, ten seconds at most."""
    async with asyncio.timeout(10), aclosing(feed.frames(channel)) as batches:
        async for frames in batches:
            take(frames)
