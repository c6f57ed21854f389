"""Versions of the API side by side, and how long an old one is still there (RFC 9745 Deprecation, RFC 8594 Sunset)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problem import problem
from api.resource import Resource
from api.resources import RESOURCES
from ares.clock import Clock, to_ns

NOTICE_MIN = timedelta(days=180)
"""So long callers have, at the least, to move on."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version. Deprecated: it has a successor, and answers until `sunset_at` (UTC), then with 410."""

    number: int
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.sunset_at is not None:
            assert self.deprecated_at is not None, "who ends a version says so before"
            assert self.sunset_at - self.deprecated_at >= NOTICE_MIN, "callers need time to move on"

    @property
    def prefix(self) -> str:
        return f"/api/v{self.number}"

    @property
    def headers(self) -> dict[str, str]:
        """What each answer of this version says of its future."""
        headers = {"API-Version": str(self.number)}
        if self.deprecated_at is not None:
            headers["Deprecation"] = f"@{int(self.deprecated_at.timestamp())}"
            headers["Link"] = f'</api/v{self.number + 1}>; rel="successor-version"'
        if self.sunset_at is not None:
            headers["Sunset"] = format_datetime(self.sunset_at, usegmt=True)
        return headers

    def is_over(self, now_ns: int) -> bool:
        """Whether its time has come."""
        return self.sunset_at is not None and now_ns >= to_ns(self.sunset_at)


@dataclass(frozen=True, slots=True)
class Edition:
    """A version and what it serves: its collections; every other route is the same in all."""

    version: Version
    resources: Sequence[Resource]

    def following(self, *instead: Resource) -> Edition:
        """The next version: all of this one, but for collections that take the place of those of the same path."""
        others = {resource.path: resource for resource in instead}
        kept = [others.pop(resource.path, resource) for resource in self.resources]
        return Edition(Version(self.version.number + 1), (*kept, *others.values()))

    def deprecated(self, at: datetime, sunset_at: datetime) -> Edition:
        """The same, which goes away."""
        return replace(self, version=Version(self.version.number, at, sunset_at))


V1 = Edition(Version(1), RESOURCES)
EDITIONS: Sequence[Edition] = (V1,)
"""What is served. A change that breaks callers: `(V1.deprecated(…), V1.following(…))`."""


class Versions:
    """ASGI middleware: every answer below a version's prefix, errors too, says what the version is."""

    def __init__(self, app: ASGIApp, versions: Sequence[Version], clock: Clock) -> None:
        self._app = app
        self._versions = versions
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        version = next((each for each in self._versions if path.startswith(f"{each.prefix}/")), None)
        if scope["type"] == "lifespan" or version is None:
            await self._app(scope, receive, send)
            return
        over = version.is_over(self._clock.now_ns())
        if scope["type"] == "websocket":
            await (_closed(receive, send) if over else self._app(scope, receive, send))
            return
        said = [(name.lower().encode(), value.encode()) for name, value in version.headers.items()]

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *said]}
            await send(message)

        answering: ASGIApp = _gone(version) if over else self._app
        await answering(scope, receive, saying)


def _gone(version: Version) -> ASGIApp:
    text = f"version {version.number} is no longer served. Ask /api/v{version.number + 1}"
    return problem(HTTPStatus.GONE, "version_gone", text)


async def _closed(receive: Receive, send: Send) -> None:
    """Before a handshake was accepted, this is a 403 (ASGI, websocket.close)."""
    await receive()
    await send({"type": "websocket.close", "code": 1000, "reason": "version_gone"})
