"""One WebSocket: what arrived on it and was not yet taken. The only user of picows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from picows import WSError, WSFrame, WSHandshakeError, WSListener, WSMsgType, WSTransport, ws_connect

from ares.clock import Clock
from ares.errors import VenueError, VenueUnavailable
from ingest.capture.records import HANDED_OVER, WE_HANG_UP
from ingest.capture.tap import NO_TAP, Tap
from ingest.feed import Channel, Frame, Frames, Silence
from ingest.venues.errors import retry_after_s

FRAMES_MAX = 20_000
"""With so many frames waiting for the collector the line is read no further: what comes then waits in the venue's
buffers, and a venue that loses its patience hangs up, which is a gap that is known."""
FRAME_BYTES_MAX = 16 * 1024 * 1024
READ_BYTES = 256 * 1024
GATHER_S = 0.004
"""What comes within this time of a frame is taken with it: at thousands a second, a turn for each costs far more."""
GATHER_FRAMES_MAX = 500
"""So many are a turn of their own: the next is not waited for."""
BUSY_READS = 4
"""A line that is read oftener than this while we gather is left alone meanwhile, and read once after that: waking up
for each of its frames would be half of a collector's work."""
JSON = b"["
"""No JSON object or list sorts before this, and every reason to close does, which begins with a code below 5000: so
nearly all frames are told apart without asking for their type, which would be a quarter of what one costs here. (A pong
that nobody asked for and that begins like this is a message then: it is the venue that says it, in either case.)"""
CLOSE_S_MAX = 2.0


class Socket(WSListener):
    """Collects frames as they arrive, each stamped with the moment its bytes were read.

    On a busy line, more than a thousand reads a second, that is up to `GATHER_S` after they came.

    >>> socket = await connect("wss://…", "trades", clock, ping_s=10.0, deadline_s=5.0)
    >>> frames = await socket.next(timeout_s=30.0)
    """

    def __init__(self, channel: Channel, clock: Clock) -> None:
        self._channel = channel
        self._clock = clock
        self._arrived = asyncio.Event()
        self._frames = Frames(channel, [], [])
        self._parts: list[bytes] = []
        self._whole = True
        self._read_at_ns = 0
        self._transport: WSTransport | None = None
        self._paused = False
        self._reads = 0
        self._busy = False
        self._taken = 0
        self._end: VenueError | None = None
        self._retired = False
        self._tap: Tap = NO_TAP
        self._address = ""
        self._connection = 0

    def tell(self, tap: Tap, address: str) -> None:
        """Tell this one what goes over the line from now on; nothing was taken from it or said on it so far."""
        self._tap, self._address = tap, address
        self._connection = tap.opened(self._channel, address)

    def tell_of(self, other: Socket) -> None:
        """What was told of this line until now is told of another, which takes over from it."""
        self._tap.closed(self._channel, self._connection, HANDED_OVER)
        other.tell(self._tap, self._address)
        self._tap = NO_TAP

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Called by picows."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Called by picows with every frame, between two reads of the line."""
        if self._read_at_ns == 0:
            self._read_at_ns = self._clock.now_ns()
        payload = frame.get_payload_as_bytes()
        if payload >= JSON and frame.fin and self._whole:
            self._frames.payloads.append(payload)
        else:
            self._take_other(transport, frame, payload)
        if frame.last_in_buffer:
            self._stamp()
            self._read_at_ns = 0
            self._reads += 1
            self._arrived.set()
            if len(self._frames) >= FRAMES_MAX:
                self._pause()

    def _take_other(self, transport: WSTransport, frame: WSFrame, payload: bytes) -> None:
        """Anything but a message of the market in one frame."""
        kind = frame.msg_type
        if self._retired:
            return
        if kind is WSMsgType.CLOSE:
            self._stamp()
            closing = f"{frame.get_close_code()} {frame.get_close_reason()}"
            self._end = self._end or VenueUnavailable(f"the venue closed the stream: {closing}")
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._parts.append(payload)
            if frame.fin:
                self._frames.payloads.append(b"".join(self._parts))
                self._parts.clear()
            self._whole = not self._parts

    def _stamp(self) -> None:
        """What came since the last time was read at this one."""
        frames = self._frames
        frames.receipts_ns += [self._read_at_ns] * (len(frames.payloads) - len(frames.receipts_ns))

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows' signature
        """Called by picows."""
        self._end = self._end or VenueUnavailable("the connection is lost")
        self._arrived.set()

    @property
    def is_open(self) -> bool:
        """Whether the line is there, as far as we know."""
        return self._end is None

    def add(self, frame: Frame) -> None:
        """Put something that did not come by this line among what did: a snapshot."""
        self._frames.payloads.append(frame.payload)
        self._frames.receipts_ns.append(frame.received_at_ns)
        self._arrived.set()

    def put_first(self, frames: Sequence[Frame]) -> None:
        """Put frames of another line before what came by this one."""
        self._frames = Frames.of(self._channel, [*frames, *self._frames])
        self._arrived.set()

    def retire(self) -> Frames:
        """What has arrived; another line takes over. What comes now is not heard, and who waits for it gets nothing."""
        frames = self._taken_out()
        self._retired, self._whole, self._end = True, False, None
        self._arrived.set()
        return frames

    def give_up(self, cause: VenueError | None = None) -> None:
        """Believe nothing more of this line: `next` ends with the cause, a `Silence`, once what arrived is taken."""
        self._end = cause or Silence(f"{self._channel}: the venue has what this line does not bring")
        self._arrived.set()

    def send(self, message: bytes) -> None:
        """Queue a text message; on a line that is lost it is lost too."""
        if self._transport is not None and not self._transport.is_disconnected:
            self._tap.sent(self._channel, self._connection, message)
            self._transport.send(WSMsgType.TEXT, message)

    async def next(self, timeout_s: float) -> Frames:
        """What arrived, as soon as something did; nothing if nothing does in time. Raises `VenueError`."""
        if self._busy and self._taken < GATHER_FRAMES_MAX:
            await self._clock.sleep(GATHER_S)
        self._resume()
        silent = not self._frames and self._end is None and not self._retired
        if silent and not await self._arrives(timeout_s):
            return self._frames[:0]
        self._busy = self._busy and len(self._frames) > BUSY_READS
        if self._busy:
            self._pause()
        frames = self._taken_out()
        self._taken = len(frames)
        self._tap.took(self._channel, self._connection, frames)
        if not frames and self._end is not None and not self._retired:
            raise self._end
        return frames

    def _taken_out(self) -> Frames:
        frames, self._frames = self._frames, Frames(self._channel, [], [])
        return frames

    async def _arrives(self, timeout_s: float) -> bool:
        """Wait until something does, and for what comes right after it. What a busy line brought is there at once."""
        self._arrived.clear()
        try:
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        except TimeoutError:
            self._busy = False
            return bool(self._frames)
        if not self._busy and len(self._frames) < GATHER_FRAMES_MAX:
            self._reads = 0
            await self._clock.sleep(GATHER_S)
            self._busy = self._reads > BUSY_READS
        return True

    def _pause(self) -> None:
        if self._transport is not None and not self._paused:
            self._paused = True
            self._transport.underlying_transport.pause_reading()

    def _resume(self) -> None:
        if self._transport is not None and self._paused:
            self._paused = False
            self._transport.underlying_transport.resume_reading()

    async def close(self) -> None:
        """Hang up, and wait a moment for the venue to do so too."""
        transport = self._transport
        if transport is None:
            return
        reason = WE_HANG_UP if self._end is None else str(self._end).encode()
        self._tap.closed(self._channel, self._connection, reason)
        transport.disconnect()
        try:
            async with asyncio.timeout(CLOSE_S_MAX):
                await transport.wait_disconnected()
        except (TimeoutError, WSError, OSError):
            transport.disconnect(graceful=False)


async def connect(address: str, channel: Channel, clock: Clock, *, ping_s: float, deadline_s: float) -> Socket:
    """Open a WebSocket. Raises `VenueUnavailable`."""
    socket = Socket(channel, clock)
    try:
        async with asyncio.timeout(deadline_s):
            await ws_connect(
                lambda: socket,
                address,
                enable_auto_ping=True,
                auto_ping_idle_timeout=ping_s,
                auto_ping_reply_timeout=ping_s,
                max_frame_size=FRAME_BYTES_MAX,
                read_buffer_init_size=READ_BYTES,
            )
    except WSHandshakeError as error:
        status = "no status" if error.response is None else str(error.response.status)
        headers = {} if error.response is None else {str(k): str(v) for k, v in error.response.headers.items()}
        raise VenueUnavailable(f"{address} refused the stream: {status}", retry_after_s(headers)) from None
    except (WSError, OSError, TimeoutError, ValueError) as error:
        raise VenueUnavailable(f"{address} cannot be reached: {type(error).__name__}: {error}") from None
    return socket
