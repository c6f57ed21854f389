"""The trader's control port, for what people order through the door."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import cast

import aiohttp

from ares.control import Json
from ares.errors import OperatingError, UsageError
from ares.service.trader_door import address_path, token_path
from ares.telemetry import observability

ORDER_S_MAX = 25.0


class NoTrader(OperatingError):
    """No trader runs where this door's state directory is, or it does not answer."""

    code = "no_trader"


class TraderDoor:
    """Asks the trader whose state directory this is. What it refuses is a `UsageError` with its own words."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    async def ask(self, verb: str, query: Mapping[str, str] | None = None) -> dict[str, Json]:
        """What the trader says of itself: status, why, limits. Raises `NoTrader`, `UsageError`."""
        return await self._call("GET", verb, query or {}, None)

    async def order(self, verb: str, body: Mapping[str, str]) -> dict[str, Json]:
        """A command; `actor` in the body is who gave it. Raises `NoTrader`, `UsageError`."""
        return await self._call("POST", verb, {}, body)

    async def _call(
        self, method: str, verb: str, query: Mapping[str, str], body: Mapping[str, str] | None
    ) -> dict[str, Json]:
        try:
            address, token = (_read(path(self._state_dir)) for path in (address_path, token_path))
        except OSError as error:
            raise NoTrader(f"no trader runs here: {error.strerror}. See `ares status`") from None
        timeout = aiohttp.ClientTimeout(total=ORDER_S_MAX)
        headers = {"Authorization": f"Bearer {token}", **observability.headers()}
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
                http.request(
                    method, f"http://{address}/{verb}", params=dict(query), json=None if body is None else dict(body)
                ) as answer,
            ):
                said = cast("dict[str, Json]", await answer.json())
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise NoTrader(f"the trader does not answer: {type(error).__name__}. See `ares status`") from None
        message = str(said.get("message", answer.status))
        if answer.status in {HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST}:
            raise UsageError(f"trader: {message}")
        if answer.status != HTTPStatus.OK:
            raise NoTrader(f"trader: {message}")
        return said


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8").strip()
