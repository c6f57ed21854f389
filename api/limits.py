"""Before anybody is known: how often an address may ask, how long a request may be and may take; harmless headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problem import problem
from api.rates import RATE, Rates, Spent

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
OF_PROGRAMS = (
    *HEADERS,
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
_PAGES_LOAD = (
    b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    b"img-src 'self' data:; font-src 'self' data:; connect-src 'self' ws: wss:; object-src 'none'; "
    b"base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Vue compiles NiceGUI's templates in the browser, and its page begins with a script: without these two it stays empty.
Nothing from elsewhere is loaded, and what rows hold is escaped."""
OF_PAGES = (*HEADERS, (b"referrer-policy", b"same-origin"), (b"content-security-policy", _PAGES_LOAD))
PAGES = "/console"


class Limits:
    """ASGI middleware around everything, in the order: rate of the address, length, time."""

    def __init__(self, app: ASGIApp, rates: Rates, body_bytes_max: int, request_s_max: float) -> None:
        self._app = app
        self._rates = rates
        self._body_bytes_max = body_bytes_max
        self._request_s_max = request_s_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        spent = self._rates.spend(client[0] if client else "")
        if not spent.passes:
            detail = f"more than {spent.limit} requests a minute come from your address"
            answer = problem(
                HTTPStatus.TOO_MANY_REQUESTS, "too_many_requests", detail, retry_after_s=max(1, spent.wait_s)
            )
            answer.headers.update(spent.headers)
            await answer(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False
        length = 0

        async def counted() -> Message:
            nonlocal length
            message = await receive()
            length += len(message.get("body", b""))
            return {"type": "http.disconnect"} if length > self._body_bytes_max else message

        async def harmless(message: Message) -> None:
            nonlocal began
            if length > self._body_bytes_max and not began:
                return
            if message["type"] == "http.response.start":
                began = True
                own = message.get("headers", ())
                message = {**message, "headers": [*own, *_left_out(scope, own), *_rates_of(scope)]}
            await send(message)

        try:
            async with asyncio.timeout(self._request_s_max):
                await self._app(scope, counted, harmless)
        except TimeoutError:
            text = f"not answered within {self._request_s_max:g} s"
            answer = problem(HTTPStatus.SERVICE_UNAVAILABLE, "too_slow", text, retry_after_s=1)
            if not began:
                await answer(scope, receive, harmless)
        else:
            if length > self._body_bytes_max and not began:
                text = f"more than {self._body_bytes_max} bytes. Send less at once"
                await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_long", text)(scope, receive, send)


def _left_out(scope: Scope, own: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What every answer says unless it says so itself: of two policies of contents a browser obeys both."""
    path, said = str(scope["path"]), {name.lower() for name, _ in own}
    usual = OF_PAGES if path == PAGES or path.startswith(f"{PAGES}/") else OF_PROGRAMS
    return [header for header in usual if header[0] not in said]


def _rates_of(scope: Scope) -> list[tuple[bytes, bytes]]:
    """What the bucket of who asks has left, if it is known who does."""
    spent = scope.get("state", {}).get(RATE)
    headers = spent.headers if isinstance(spent, Spent) else {}
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
