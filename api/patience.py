"""How long a connection may say nothing, or not enough: uvicorn itself waits for a request's head for ever."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle


class ImpatientProtocol(HttpToolsProtocol):
    """Closes a connection whose request is not whole within `timeout_keep_alive` seconds of its beginning.

    A body that comes too slowly is bounded by `api.request_s_max`, an answer that is not read by the event loop's own
    buffers and the same.
    """

    _given_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._begins():
            self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _begins(self) -> bool:
        """Whether no request is being answered: the next one has not come, or not whole."""
        if self.transport.get_protocol() is not self:
            return False  # a WebSocket has it now
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _wait(self) -> None:
        if self._given_up is None:
            self._given_up = self.loop.call_later(self.timeout_keep_alive, self._give_up)

    def _stop_waiting(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None

    def _give_up(self) -> None:
        self._given_up = None
        if self._begins() and not self.transport.is_closing():
            self.transport.close()
