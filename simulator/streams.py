"""Market streams over WebSocket: /ws, /ws/<stream>, /stream?streams=a/b and, as ccxt dials it, /stream/ws/<n>."""

from __future__ import annotations

import asyncio
import re
from typing import cast

import orjson
from aiohttp import WSMsgType, web

from ares.clock import Clock
from ares.telemetry import get_logger
from simulator.hub import Connection, Hub
from simulator.matching import Refusal

MESSAGE_BYTES_MAX = 64 * 1024
STREAMS_MAX = 1_024
STREAM_NAME = re.compile(r"[a-z0-9_.-]{1,20}@[A-Za-z0-9_@-]{1,30}")
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

log = get_logger(__name__)


class MarketStreams:
    """Takes the clients of market data and does what they ask."""

    def __init__(self, hub: Hub, clock: Clock) -> None:
        self._hub = hub
        self._clock = clock
        self._connections: set[Connection] = set()

    @property
    def clients(self) -> int:
        return len(self._connections)

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """One client until it is gone."""
        socket = web.WebSocketResponse(compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        await socket.prepare(request)
        names, wrapped = wanted(request.path, request.query.get("streams", ""))
        connection = Connection(socket, request, self._clock, wrapped=wrapped)
        self._connections.add(connection)
        writer = asyncio.create_task(connection.write())
        try:
            for name in names:
                self._hub.subscribe(connection, name)
            async for message in socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    connection.send(orjson.dumps(self._answer(connection, cast("str | bytes", message.data))))
        finally:
            self._hub.leave(connection)
            self._connections.discard(connection)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
        return socket

    async def close(self) -> None:
        """Tell every client that we go away."""
        await asyncio.gather(*(connection.close() for connection in tuple(self._connections)))

    def _answer(self, connection: Connection, text: str | bytes) -> dict[str, object]:
        try:
            message = cast("object", orjson.loads(text))
        except ValueError:
            return _error(3, "Invalid JSON: expected value at line 1 column 1", None)
        if not isinstance(message, dict):
            return _error(2, "Invalid request: request must be an object", None)
        request = cast("dict[str, object]", message)
        number = request.get("id")
        try:
            return {"result": self._do(connection, request), "id": number}
        except Refusal as refusal:
            return _error(refusal.code, refusal.message, number)

    def _do(self, connection: Connection, request: dict[str, object]) -> object:
        method, params = request.get("method"), request.get("params", [])
        if method not in METHODS:
            raise _invalid(f"unknown variant `{method}`, expected one of {', '.join(METHODS)}")
        if not isinstance(params, list):
            raise _invalid("params must be an array")
        names = [str(name) for name in cast("list[object]", params)]
        if method == "LIST_SUBSCRIPTIONS":
            return sorted(connection.streams)
        if method == "GET_PROPERTY":
            return connection.wrapped
        if method == "SET_PROPERTY":
            connection.wrapped = names == ["combined", "True"]
        elif method == "SUBSCRIBE":
            self._subscribe(connection, _checked(names))
        else:
            for name in connection.streams.intersection(_checked(names)):
                self._hub.unsubscribe(connection, name)
        return None

    def _subscribe(self, connection: Connection, names: list[str]) -> None:
        if len(connection.streams.union(names)) > STREAMS_MAX:
            raise _invalid(f"more than {STREAMS_MAX} streams")
        for name in names:
            self._hub.subscribe(connection, name)


def _checked(names: list[str]) -> list[str]:
    """As the venue: the form of a name is checked, not whether such a market exists."""
    bad = next((name for name in names if not STREAM_NAME.fullmatch(name)), None)
    if bad is not None:
        raise _invalid(f"invalid stream name {bad}")
    return names


def wanted(path: str, query: str) -> tuple[list[str], bool]:
    """Streams named in the address, and whether events come wrapped in {"stream","data"}."""
    if path.endswith("/stream"):
        return [name for name in query.split("/") if "@" in name], True
    return [name for name in path.split("/") if "@" in name], False


def _invalid(problem: str) -> Refusal:
    return Refusal(2, f"Invalid request: {problem}")


def _error(code: int, message: str, number: object) -> dict[str, object]:
    return {"error": {"code": code, "msg": message}, "id": number}
