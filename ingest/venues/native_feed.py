"""The live side of a venue over our own sockets and decoders: a connection per channel, everything kept at arrival."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from operator import not_

from ares.clock import Clock
from ares.config.settings import IngestConfig, VenueConfig
from ares.errors import MalformedFrame, VenueError, VenueRejected, VenueUnavailable
from ares.model.market import Instrument, TradeRun
from ares.resilience import Backoff, to_the_end
from ares.telemetry import get_logger, metrics
from ingest.books import BookUpdate
from ingest.capture.tap import NO_TAP, Tap
from ingest.contracts import InBase, sizes_of
from ingest.feed import SPOT, BookRules, ChainBroken, Channel, Frame, Frames, MarketEvent, Silence, raw_text
from ingest.history import wait_of
from ingest.venues.budget import ConnectBudget
from ingest.venues.dialect import Dialect, NumbersFrames, Snapshots
from ingest.venues.handover import Handover
from ingest.venues.line import Line
from ingest.venues.relief import Relief
from ingest.venues.socket import Socket, connect
from ingest.venues.wire import Names

log = get_logger(__name__)

Markets = Callable[[Sequence[str]], Awaitable[Sequence[Instrument]]]
SnapshotsOf = Callable[[Mapping[str, str]], Snapshots]

SNAPSHOT_EVERY_S = 0.1
"""Between two questions for snapshots, so that books that break again and again do not use up the venue's patience."""
TURN_FRAMES = 2_000
"""Read together in the collector: what so many become fits into a processor's cache, and ten times as many do not."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a venue brings: words, instruments, where snapshots come from, what it streams, and who is told of it."""

    dialect: Dialect
    markets: Markets
    snapshots: SnapshotsOf
    channels: Sequence[Channel] = SPOT
    tap: Tap = NO_TAP
    recycle_hours: float = 0.0


class NativeFeed:
    """A venue's live data.

    >>> feed = NativeFeed("binance", parts, config.venues["binance"], config.ingest, SystemClock())
    >>> instruments = await feed.open()
    >>> async for frames in feed.frames("trades"): ...
    """

    def __init__(self, venue: str, parts: Parts, config: VenueConfig, ingest: IngestConfig, clock: Clock) -> None:
        self._venue = venue
        self._parts = parts
        self._config = config
        self._ingest = ingest
        self._clock = clock
        self._names = Names(venue, {})
        self._in_base = InBase()
        self._numbering = parts.dialect if isinstance(parts.dialect, NumbersFrames) else None
        self._lines: dict[Channel, Line] = {}
        self._budget = ConnectBudget(venue, config.connects_per_minute_max, clock)
        self._rng = random.Random()  # noqa: S311 - jitter, not a secret

    @property
    def venue(self) -> str:
        """Its name in rows."""
        return self._venue

    @property
    def book_rules(self) -> BookRules:
        """How the changes of its books follow one another."""
        return self._parts.dialect.book_rules

    @property
    def channels(self) -> Sequence[Channel]:
        """What the venue streams; each has a connection of its own."""
        return self._parts.channels

    def reconfigure(self, ingest: IngestConfig) -> None:
        """Silences by these settings from now on; the symbols stay those of the start."""
        self._ingest = ingest

    async def open(self) -> Sequence[Instrument]:
        """Learn the venue's markets. Raises `VenueUnavailable`, `VenueRejected`, or `UnknownSymbol`."""
        instruments = await self._parts.markets(self._ingest.symbols)
        self._names = Names(self._venue, {each.venue_symbol: each.symbol for each in instruments})
        self._in_base = InBase(sizes_of(instruments))
        return instruments

    async def frames(self, channel: Channel) -> AsyncGenerator[Sequence[Frame], None]:
        """Connect and yield what arrives, never ending by itself. Raises `VenueError` when the stream is lost.

        Yields nothing, too, now and then: for who waits for his time, not for frames.
        """
        line = self._lines[channel] = Line(await self._dial(channel, self._parts.tap))
        helpers = [asyncio.create_task(self._relief(channel).run(line), name=f"{self._venue}-relief")]
        try:
            heard_s = self._clock.monotonic_s()
            while True:
                for helper in helpers:
                    if helper.done():
                        helper.result()
                frames = await self._next(channel, line, heard_s)
                if frames:
                    heard_s = self._clock.monotonic_s()
                whole = self._before_loss(channel, line, frames)
                lost, frames = whole < len(frames), frames[:whole]
                if frames and not line.confirmed:
                    frames = self._without_answers(channel, line, frames)
                    self._welcome(channel, line)
                    if not line.wanted.empty():
                        helpers.append(asyncio.create_task(self._fetch_snapshots(line), name="snapshots"))
                for start in range(0, max(1, len(frames)), TURN_FRAMES):
                    yield frames[start : start + TURN_FRAMES]
                if lost:
                    raise ChainBroken(f"{channel} of {self._venue}: a frame after number {line.number} was lost")
        finally:
            line.confirmed = False
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            await to_the_end(line.socket.close())

    async def _dial(self, channel: Channel, tap: Tap = NO_TAP) -> Socket:
        """A connection that has asked for everything of a channel. Raises `VenueUnavailable`.

        A second one is told of only once it takes over, or a capture would hold everything twice.
        """
        dialect, config = self._parts.dialect, self._config
        address = dialect.address(config.ws_url, channel)
        await self._budget.spend()
        try:
            socket = await connect(
                address, channel, self._clock, ping_s=config.ping_s, deadline_s=config.request_timeout_s
            )
        except VenueUnavailable as error:
            self._budget.hold(error.retry_after_s or 0.0)
            raise
        socket.tell(tap, address)
        for message in dialect.opening(channel, self._names, levels=self._ingest.book_levels):
            socket.send(message)
        return socket

    async def _next(self, channel: Channel, line: Line, heard_s: float) -> Frames:
        """What a line brings next, if anything does in time. Raises `VenueError` when it is lost."""
        try:
            frames = await line.socket.next(min(self._ingest.silence_s_max, self._ingest.book_s_min))
        except VenueUnavailable as error:
            if not line.relieve_lost():
                raise
            log.info("feed_relieved_early", venue=self._venue, channel=channel, cause=str(error))
            return Frames(channel, [], [])
        frames = self._without_heartbeat(line, frames, heard_s)
        if not frames and self._clock.monotonic_s() - heard_s > self._ingest.silence_s_max:
            raise Silence(f"{channel} of {self._venue}: no frame for {self._ingest.silence_s_max} s")
        if line.handover is not None:
            line.handover.brought(frames)
        return frames

    def _relief(self, channel: Channel) -> Relief:
        hours = self._config.recycle_hours
        return Relief(
            channel,
            dial=lambda: self._dial(channel),
            data_of=lambda second, frames, heard_s: self._data_of(channel, second, frames, heard_s),
            handover=lambda: self._handover(channel),
            recycle_s=(self._parts.recycle_hours if hours is None else hours) * 3_600,
            backoff=Backoff(self._ingest.backoff_s_min, self._ingest.backoff_s_max, self._rng),
            clock=self._clock,
            rng=self._rng,
        )

    def _data_of(self, channel: Channel, second: Line, frames: Frames, heard_s: float) -> Frames:
        frames = self._without_heartbeat(second, frames, heard_s)
        if self._before_loss(channel, second, frames) < len(frames):
            raise ChainBroken(f"{channel} of {self._venue}: a frame of the second connection was lost")
        return self._without_answers(channel, second, frames)

    def _handover(self, channel: Channel) -> Handover:
        symbols = list(self._names.by_venue_symbol.values())
        snapshots = any(self._parts.dialect.resubscription(symbol, self._names) for symbol in symbols[:1])
        return Handover(channel, self._said, symbols, snapshots)

    def _said(self, frame: Frame) -> Sequence[MarketEvent]:
        if isinstance(frame.payload, BookUpdate):
            return (frame.payload,)
        return self._parts.dialect.decode(frame.channel, frame.payload, self._names, frame.received_at_ns)

    def _without_heartbeat(self, line: Line, frames: Frames, heard_s: float) -> Frames:
        """Say the venue's own word on a silent line, where it has one. Its answer says nothing of the market."""
        words = self._parts.dialect.heartbeat
        if words is None:
            return frames
        say, answer = words
        now_s = self._clock.monotonic_s()
        if not frames and now_s - max(heard_s, line.spoken_s) > self._config.ping_s:
            line.spoken_s = now_s
            line.socket.send(say)
        answers = [isinstance(payload, bytes) and payload.startswith(answer) for payload in frames.payloads]
        return Frames.of(frames.channel, compress(frames, map(not_, answers))) if any(answers) else frames

    def _before_loss(self, channel: Channel, line: Line, frames: Sequence[Frame]) -> int:
        """How many of these frames come before one that the venue sent and we did not get."""
        numbering = self._numbering
        if numbering is None:
            return len(frames)
        counted, line.counted = line.counted, 0 if frames else line.counted
        for place, frame in enumerate(frames):
            if place < counted:
                continue
            number = numbering.number_of(channel, frame.payload) if isinstance(frame.payload, bytes) else None
            if number is None:
                continue
            if line.number is not None and number != line.number + 1:
                return place
            line.number = number
        return len(frames)

    def _without_answers(self, channel: Channel, line: Line, frames: Frames) -> Frames:
        """The first frames of a line, without the venue's answer. Raises `VenueRejected` if it says no."""
        data: list[Frame] = []
        for frame in frames:
            assert isinstance(frame.payload, bytes)
            answer = self._parts.dialect.answer_of(frame.payload)
            if answer == "refused":
                raise self._refusal(channel, frame.payload)
            if answer == "leaving":
                line.leaving.set()
                continue
            line.confirmed = line.confirmed or answer != "greeting"
            if answer is None:
                data.append(frame)
        return Frames.of(channel, data)

    def _welcome(self, channel: Channel, line: Line) -> None:
        """Once the venue answers on a line: say so, and get the snapshots that its changes need."""
        if not line.confirmed:
            return
        metrics.INGEST_CONNECTS.labels(channel, "ok").inc()
        log.info("feed_connected", venue=self._venue, channel=channel)
        if channel == "books":
            for symbol in self._names.by_venue_symbol.values():
                if not self._parts.dialect.resubscription(symbol, self._names):
                    self._want(line, symbol)

    def _refusal(self, channel: Channel, payload: object) -> VenueRejected:
        return VenueRejected("subscription", f"{channel} of {self._venue}: {raw_text(payload)[:200]}")

    def resync(self, symbol: str, channel: Channel) -> None:
        """The book of this symbol is no longer believed: get a new snapshot into the frames of this channel."""
        line = self._lines.get(channel)
        if line is None or not line.confirmed:
            return
        again = self._parts.dialect.resubscription(symbol, self._names)
        for message in again:
            line.socket.send(message)
        if not again:
            self._want(line, symbol)

    def _want(self, line: Line, symbol: str) -> None:
        if symbol not in line.asked_for:
            line.asked_for.add(symbol)
            line.wanted.put_nowait(symbol)

    async def _fetch_snapshots(self, line: Line) -> None:
        """Get the snapshots that are wanted, one after the other, until cancelled."""
        backoff = Backoff(self._ingest.backoff_s_min, self._ingest.backoff_s_max, self._rng)
        symbols = {ours: theirs for theirs, ours in self._names.by_venue_symbol.items()}
        source = self._parts.snapshots(symbols)
        try:
            while True:
                symbol = await line.wanted.get()
                line.asked_for.discard(symbol)
                try:
                    snapshot = await source.book(symbol)
                except VenueError as error:
                    wait_s = wait_of(error, backoff)
                    log.warning("snapshot_waits", symbol=symbol, cause=str(error), wait_s=wait_s)
                    self._want(line, symbol)
                    await self._clock.sleep(wait_s)
                    continue
                backoff.reset()
                line.socket.add(Frame("books", snapshot, snapshot.received_at_ns))
                await self._clock.sleep(SNAPSHOT_EVERY_S)
        finally:
            await source.close()

    def decode(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says, if anything. Raises `MalformedFrame`, and nothing else, whatever the frame holds."""
        return self._in_base.events(self._decoded(frame))

    def _decoded(self, frame: Frame) -> Sequence[MarketEvent]:
        """What a frame says, in the venue's own amounts."""
        try:
            return self._said(frame)
        except MalformedFrame:
            payload, dialect = frame.payload, self._parts.dialect
            answer = dialect.answer_of(payload) if isinstance(payload, bytes) else None
            line = self._lines.get(frame.channel)
            if answer == "leaving" and line is not None:
                line.leaving.set()
            if answer in ("confirmed", "greeting", "leaving"):
                return ()
            if answer == "refused" and line is not None:
                line.socket.give_up(self._refusal(frame.channel, payload))
            raise

    def runs(self, frames: Sequence[Frame]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol in order of arrival; None means: decode each."""
        each = frames if isinstance(frames, Frames) else Frames.of("trades", frames)
        runs = self._parts.dialect.runs(each.payloads, self._names, each.receipts_ns)
        return runs if runs is None or not self._in_base else [self._in_base.run(run) for run in runs]

    def renew(self, channel: Channel) -> None:
        """The connection of this channel is open and does not bring what the venue has: end it as a `Silence`."""
        line = self._lines.get(channel)
        if line is not None:
            line.socket.give_up()

    def is_live(self, channel: Channel) -> bool:
        """Whether the venue answered on the connection that is open now."""
        line = self._lines.get(channel)
        return line is not None and line.confirmed and line.socket.is_open

    async def close(self) -> None:
        """Every connection belongs to a `frames` iterator, which closes it; nothing is left to do."""
