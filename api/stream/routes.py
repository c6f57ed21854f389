"""The WebSocket `/stream`."""

from collections import Counter

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from api.parts import Parts
from api.stream.callers import Callers
from api.stream.feed import Feed
from api.stream.recent import Recent
from api.stream.session import Common, StreamSession
from ares.errors import AccessDenied, ControlUnavailable, StoreError
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)

PATH = "/stream"
CONNECTIONS_PER_ADDRESS_MAX = 600
UNAUTHORISED, TOO_MANY, TOO_SLOW, LATER = 4401, 4429, 4408, 1013
"""Close codes: those from 4000 on are ours (RFC 6455, 7.4.2), after the HTTP status that would say the same."""


def router_of(parts: Parts, feed: Feed) -> APIRouter:
    """The route; who connects says who they are by `Authorization`, or by a first message `auth`."""
    router = APIRouter()
    connected: Counter[str] = Counter()
    callers, recent = Callers(parts.door.caller, parts.clock), Recent(parts.database, parts.clock)
    common = Common(parts.clock, callers, feed, recent)

    @router.websocket(PATH)
    async def stream(socket: WebSocket) -> None:
        address = socket.client.host if socket.client else ""
        await socket.accept()
        if connected[address] >= CONNECTIONS_PER_ADDRESS_MAX:
            await socket.close(TOO_MANY, "too many connections from your address")
            return
        connected[address] += 1
        metrics.STREAM_READERS.inc()
        token = socket.headers.get("Authorization", "").removeprefix("Bearer ")
        code, reason = 1000, ""
        try:
            await StreamSession(common, _Wire(socket), token).serve()
        except WebSocketDisconnect:
            return
        except AccessDenied as error:
            code, reason = UNAUTHORISED, error.reason
        except TimeoutError:
            code, reason = TOO_SLOW, "nothing was read"
        except (StoreError, ControlUnavailable) as error:
            code, reason = LATER, error.code
        finally:
            metrics.STREAM_READERS.dec()
            connected[address] -= 1
            if not connected[address]:
                del connected[address]
        log.info("stream_closed", code=code, reason=reason)
        await _close(socket, code, reason)

    return router


class _Wire:
    """A socket whose messages may be no text."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.send_text = socket.send_text

    async def receive_text(self) -> str | None:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message["code"], message.get("reason"))
        text: str | None = message.get("text")
        return text


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    try:
        await socket.close(code, reason)
    except (RuntimeError, WebSocketDisconnect):
        return  # they were gone before
