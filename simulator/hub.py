"""Who listens to which stream, and the way of a frame to them: in order, bounded, and as badly as asked for."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable

import orjson
from aiohttp import WSCloseCode, web

from ares.clock import Clock
from ares.telemetry import get_logger
from simulator.misbehaviour import Armed, Misbehaviour

FRAMES_MAX = 50_000
"""A client that is this many frames behind is closed, as the venue does with slow ones."""
WRAP = b'{"stream":"%s","data":%s}'

log = get_logger(__name__)


class Connection:
    """One client's WebSocket: a bounded queue of frames and the task that writes them."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, clock: Clock, *, wrapped: bool) -> None:
        self.wrapped = wrapped
        self._transport = request.transport
        self.streams: set[str] = set()
        self._socket = socket
        self._clock = clock
        self._frames: deque[bytes] = deque()
        self._filled = asyncio.Event()
        self._pause_s = 0.0

    def send(self, frame: bytes) -> None:
        """Queue a frame; a client that does not keep up is closed."""
        if len(self._frames) >= FRAMES_MAX:
            log.warning("slow_client_closed", frames=len(self._frames))
            self.abort()
            return
        self._frames.append(frame)
        self._filled.set()

    def send_stream(self, stream: str, frame: bytes) -> None:
        """Queue an event of a stream, wrapped if this client asked for combined streams."""
        self.send(WRAP % (stream.encode(), frame) if self.wrapped else frame)

    def pause(self, seconds: float) -> None:
        """Let everything that is not yet written wait."""
        self._pause_s = max(self._pause_s, seconds)

    async def write(self) -> None:
        """Write frames until cancelled or the client is gone."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._frames:
                if self._pause_s:
                    seconds, self._pause_s = self._pause_s, 0.0
                    await self._clock.sleep(seconds)
                await self._socket.send_str(self._frames.popleft().decode())

    async def close(self) -> None:
        """Say goodbye (1001, going away) and close."""
        await self._socket.close(code=WSCloseCode.GOING_AWAY)

    def abort(self) -> None:
        """Drop the line without a word: the client sees code 1006."""
        if self._transport is not None:
            self._transport.abort()


class Hub:
    """Streams → listeners."""

    def __init__(self, misbehaviour: Misbehaviour) -> None:
        self._misbehaviour = misbehaviour
        self._listeners: defaultdict[str, set[Connection]] = defaultdict(set)
        self._held: dict[str, bytes] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def subscribe(self, connection: Connection, stream: str) -> None:
        connection.streams.add(stream)
        self._listeners[stream].add(connection)

    def unsubscribe(self, connection: Connection, stream: str) -> None:
        connection.streams.discard(stream)
        self._listeners[stream].discard(connection)
        if not self._listeners[stream]:
            del self._listeners[stream]
            self._held.pop(stream, None)

    def leave(self, connection: Connection) -> None:
        """A client is gone."""
        for stream in list(connection.streams):
            self.unsubscribe(connection, stream)

    def streams(self) -> list[str]:
        """Streams somebody listens to."""
        return list(self._listeners)

    def publish(self, symbol: str, stream: str, key: int, render: Callable[[], bytes]) -> None:
        """Send an event to all who listen; it is rendered only if somebody does. `key` tells the events apart."""
        if stream not in self._listeners:
            return
        frame = render()
        if not self._misbehaviour.quiet and self._spoiled(symbol, stream, key, frame):
            return
        self._send(stream, frame)
        held = self._held.pop(stream, None)
        if held is not None:
            self._send(stream, held)

    def publish_json(self, symbol: str, stream: str, key: int, render: Callable[[], object]) -> None:
        """`publish` for what is not yet text."""
        self.publish(symbol, stream, key, lambda: orjson.dumps(render()))

    def _send(self, stream: str, frame: bytes) -> None:
        for connection in tuple(self._listeners.get(stream, ())):
            connection.send_stream(stream, frame)

    def _spoiled(self, symbol: str, stream: str, key: int, frame: bytes) -> bool:
        """Do what must go wrong; True when the frame needs no sending any more."""
        hit = self._misbehaviour.hit
        fault = hit("disconnect", symbol, stream, key)
        if fault is not None:
            self._disconnect(stream, fault)
            return True
        if hit("gap", symbol, stream, key):
            return True
        if stream not in self._held and hit("reorder", symbol, stream, key):
            self._held[stream] = frame
            return True
        if hit("duplicate", symbol, stream, key):
            self._send(stream, frame)
        delay = hit("delay", symbol, stream, key)
        if delay is not None:
            for connection in self._listeners.get(stream, ()):
                connection.pause(delay.wait_ms / 1_000)
        return False

    def _disconnect(self, stream: str, fault: Armed) -> None:
        for connection in tuple(self._listeners.get(stream, ())):
            self.leave(connection)
            if fault.abrupt:
                connection.abort()
            else:
                task = asyncio.ensure_future(connection.close())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
