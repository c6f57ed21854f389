"""A line to the venue over a real socket: subscriptions, answers, the venue's own words, and its goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import orjson
import pytest
from aiohttp import WSMsgType, web

from ares.clock import SystemClock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import MalformedFrame, VenueRejected
from ares.model.market import Instrument
from ingest.books import BookUpdate
from ingest.feed import Channel, Frame
from ingest.venues.native_feed import NativeFeed, Parts
from ingest.venues.rest import Asked
from tests.conformance.bench import Bench, bench_of, room_of
from tests.conformance.case import Case
from tests.conformance.specimen import Payload, Specimen

Talked = tuple[Channel, str]
"""A channel, and the venue's own symbol."""
PING_S = 0.2
PATIENCE_S = 10.0


@dataclass
class Talking:
    """The venue on a socket: answers subscriptions, and then says a frame of each symbol that was asked for.

    `refuses`: instead it says no to the subscription of this number, counted from 0. `goodbye`: on its first line it
    says, once all is confirmed, that it will leave.
    """

    specimen: Specimen
    bench: Bench
    channel: Channel
    refuses: int | None = None
    goodbye: bytes | None = None
    heard: list[bytes] = field(default_factory=list)
    asked: list[Talked] = field(default_factory=list)
    lines: int = 0
    snapshots: list[str] = field(default_factory=list)

    async def talk(self, request: web.Request) -> web.WebSocketResponse:
        """One line."""
        self.lines += 1
        self.bench.speakers[self.channel] = self.specimen.speaker()
        line, first = web.WebSocketResponse(), self.lines == 1
        await line.prepare(request)
        for greeting in self.specimen.greeting:
            await line.send_str(greeting.decode())
        heartbeat = self.specimen.dialect.heartbeat
        async for message in line:
            if message.type is not WSMsgType.TEXT:
                continue
            said = message.data.encode()
            self.heard.append(said)
            if heartbeat is not None and said == heartbeat[0]:
                await line.send_str(self.pong().decode())
                continue
            for answer in self.answers(said, request.path):
                await line.send_str(answer.decode())
            if first and self.goodbye is not None and self.complete:
                await line.send_str(self.goodbye.decode())
        return line

    def pong(self) -> bytes:
        """The venue's answer to its own word."""
        heartbeat = self.specimen.dialect.heartbeat
        assert heartbeat is not None
        return heartbeat[1] + (b"}" if heartbeat[1].startswith(b"{") else b"")

    def answers(self, message: bytes, path: str) -> Sequence[bytes]:
        """What follows a message."""
        speaker = self.bench.speakers[self.channel]
        asked = speaker.subscribed(message, path)
        if not asked:
            return [speaker.confirmation()] if self.asked else []
        number = sum(1 for said in self.heard[:-1] if speaker.subscribed(said, path))
        self.asked += asked
        if self.refuses == number:
            return [self.specimen.refused[0]]
        return [speaker.confirmation(), *[self.frame_of(name) for _, name in asked]]

    def frame_of(self, venue_symbol: str) -> bytes:
        """Something of the market; of a book its snapshot, where that comes on the stream."""
        bench, specimen, symbol = self.bench, self.specimen, self.specimen.names.symbol(venue_symbol)
        if self.channel == "trades":
            return bench.trade(symbol)
        payload: Payload
        if self.channel == "funding":
            payload = next(sample for sample in specimen.samples if sample.channel == "funding").frames[-1]
            assert isinstance(payload, bytes)
            return payload.replace(next(iter(specimen.names.by_venue_symbol)).encode(), venue_symbol.encode())
        if self.channel == "quotes" and not specimen.quotes_of_books:
            payload = bench.quote(symbol)
        elif specimen.snapshots_by_stream:
            payload = bench.snapshot(symbol, self.channel)
        else:
            payload = bench.payload(bench.market.move_book(symbol), self.channel)
        assert isinstance(payload, bytes)
        return payload

    @property
    def complete(self) -> bool:
        """Whether every symbol was subscribed to."""
        return {name for _, name in self.asked} == set(self.specimen.names.by_venue_symbol)

    async def book(self, symbol: str) -> BookUpdate:
        """A snapshot over REST."""
        self.snapshots.append(symbol)
        answer = orjson.loads(self.specimen.speaker().depth(self.bench.market.snapshot(symbol)))
        asked = Asked(self.specimen.name, symbol, self.specimen.venue_symbols[symbol], SystemClock().now_ns())
        return self.specimen.words.read_book(answer, asked)

    async def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def connected(venue: Talking) -> AsyncIterator[tuple[NativeFeed, AsyncGenerator[Sequence[Frame], None]]]:
    """A feed of the venue, and the frames of the channel."""

    async def markets(_symbols: Sequence[str]) -> Sequence[Instrument]:
        return venue.specimen.instruments()

    app = web.Application()
    app.router.add_get("/{path:.*}", venue.talk)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    specimen = venue.specimen
    config = VenueConfig(ws_url=f"ws://127.0.0.1:{runner.addresses[0][1]}", ping_s=PING_S)
    ingest = IngestConfig(venue=specimen.name, symbols=specimen.symbols, book_s_min=0.05)
    parts = Parts(specimen.dialect, markets, lambda _: venue, specimen.channels)
    try:
        feed = NativeFeed(specimen.name, parts, config, ingest, SystemClock())
        await feed.open()
        async with asyncio.timeout(PATIENCE_S), aclosing(feed.frames(venue.channel)) as frames:
            yield feed, frames
    finally:
        await runner.cleanup()


async def listen(venue: Talking, enough: Callable[[NativeFeed, list[Frame]], bool]) -> list[Frame]:
    """What the line brings until that is enough. Raises `VenueError` when it ends before."""
    taken: list[Frame] = []
    async with connected(venue) as (feed, batches):
        async for frames in batches:
            taken += frames
            for frame in frames:
                decode(feed, frame)
            if enough(feed, taken):
                break
    return taken


def decode(feed: NativeFeed, frame: Frame) -> Sequence[object]:
    """As the desk does: what is refused is kept, and the line goes on."""
    try:
        return feed.decode(frame)
    except MalformedFrame:
        return ()


def symbols_in(feed: NativeFeed, frames: Sequence[Frame]) -> set[str]:
    """Of which symbols something came."""
    return {str(getattr(event, "symbol", "")) for frame in frames for event in decode(feed, frame)}


def is_all_there(venue: Talking, feed: NativeFeed, taken: Sequence[Frame]) -> bool:
    """Whether the line is live and has brought something of every symbol."""
    return feed.is_live(venue.channel) and symbols_in(feed, taken) == set(venue.specimen.symbols)


async def channels_are_subscribed_to(specimen: Specimen) -> None:
    """V15."""
    for channel in specimen.channels:
        venue = Talking(specimen, await bench_of(specimen), channel)
        await listen(venue, partial(is_all_there, venue))
        topic = "books" if channel == "quotes" and specimen.quotes_of_books else channel
        assert sorted(venue.asked) == sorted((topic, name) for name in specimen.names.by_venue_symbol)
        assert venue.lines == 1


async def refusals_end_the_line(specimen: Specimen) -> None:
    """V16. At once, and later, when a book is asked for anew."""
    assert {specimen.dialect.answer_of(no) for no in specimen.refused} == {"refused"}
    assert specimen.dialect.answer_of(specimen.speaker().confirmation()) == "confirmed"
    later = (1,) if specimen.snapshots_by_stream else ()
    for refuses in (0, *later):
        venue = Talking(specimen, await bench_of(specimen), "books", refuses)
        asked_anew: list[str] = []

        def ask_anew(feed: NativeFeed, taken: list[Frame], anew: list[str] = asked_anew) -> bool:
            if symbols_in(feed, taken) == set(specimen.symbols) and not anew:
                anew.append(specimen.symbols[0])
                feed.resync(specimen.symbols[0], "books")
            return False

        with pytest.raises(VenueRejected, match=f"books of {specimen.name}") as refused:
            await listen(venue, ask_anew)
        assert specimen.refused[0][:40].decode() in str(refused.value), "in the venue's own words"
        assert len(asked_anew) == refuses


async def silent_line_gets_the_venues_word(specimen: Specimen) -> None:
    """V17. Its answer is nothing that anybody has to look at."""
    venue = Talking(specimen, await bench_of(specimen), "trades")
    heartbeat = specimen.dialect.heartbeat
    assert heartbeat is not None
    taken = await listen(venue, lambda _, __: venue.heard.count(heartbeat[0]) >= 3)
    assert not [frame for frame in taken if cast("bytes", frame.payload).startswith(heartbeat[1])]
    assert venue.lines == 1


async def leaving_line_is_replaced(specimen: Specimen) -> None:
    """V18. Nothing is told twice as new, and nothing is lost: the handover is tested by itself."""
    for goodbye in specimen.leaving:
        assert specimen.dialect.answer_of(goodbye) == "leaving"
        for channel in specimen.channels:
            venue = Talking(specimen, await bench_of(specimen), channel, goodbye=goodbye)
            await listen(venue, partial(has_lines, venue, 2))


def has_lines(venue: Talking, lines: int, _feed: NativeFeed, _taken: Sequence[Frame]) -> bool:
    """Whether it was connected to so often."""
    return venue.lines >= lines


async def doubted_book_is_asked_for_anew(specimen: Specimen) -> None:
    """V19. That symbol alone, on the line where it broke, and the book that then comes is whole."""
    venue = Talking(specimen, await bench_of(specimen), "books")
    symbol, name = specimen.symbols[0], specimen.venue_symbols[specimen.symbols[0]]
    room = room_of(specimen)
    begun: list[int] = []
    async with connected(venue) as (feed, batches):
        async for frames in batches:
            for frame in frames:
                for event in decode(feed, frame):
                    assert isinstance(event, BookUpdate)
                    room.take(event)
            if not begun and len(room.books) == 2 and all(book.is_whole for book in room.books.values()):
                begun.append(len(venue.asked))
                room.books[symbol].reset()
                feed.resync(symbol, "books")
            elif begun and room.books[symbol].is_whole:
                break
    if specimen.snapshots_by_stream:
        assert venue.asked[begun[0] :] == [("books", name)]
    else:
        assert venue.snapshots[2:] == [symbol]
    assert venue.lines == 1


CASES = (
    Case("V15", "each channel is subscribed to for every symbol, and live once the venue confirmed",
         channels_are_subscribed_to),
    Case("V16", "a refused subscription ends the line with the venue's own words", refusals_end_the_line),
    Case("V17", "a silent line gets the venue's own word, and its answer is dropped", silent_line_gets_the_venues_word,
         lambda specimen: specimen.dialect.heartbeat is not None),
    Case("V18", "a line that the venue will close is replaced at once", leaving_line_is_replaced,
         lambda specimen: bool(specimen.leaving)),
    Case("V19", "a doubted book is asked for anew, that symbol alone", doubted_book_is_asked_for_anew),
)  # fmt: skip
