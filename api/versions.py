"""Versions of the API side by side, and how long an old one is still there (RFC 9745 Deprecation, RFC 8594 Sunset)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Version:
    """One version. Deprecated: it has a successor, and answers until `sunset_at` (UTC)."""

    number: int
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None

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


V1 = Version(1)


class Versions:
    """ASGI middleware: every answer below a version's prefix, errors too, says what the version is."""

    def __init__(self, app: ASGIApp, versions: Sequence[Version]) -> None:
        self._app = app
        self._versions = versions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        version = next((each for each in self._versions if path.startswith(f"{each.prefix}/")), None)
        if scope["type"] != "http" or version is None:
            await self._app(scope, receive, send)
            return
        said = [(name.lower().encode(), value.encode()) for name, value in version.headers.items()]

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *said]}
            await send(message)

        await self._app(scope, receive, saying)
