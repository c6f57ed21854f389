"""How services ask the trader. The command line has a way of its own, which imports less."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import aiohttp

from ares.control import Json
from ares.service.trader_door import NoTrader, TraderPlace
from ares.telemetry import observability

Answer = dict[str, Json]


async def ask_trader(
    place: TraderPlace,
    verb: str,
    timeout_s: float,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> tuple[int, Answer]:
    """GET a verb, or POST it with a body; returns the HTTP status and what the trader said. Raises `NoTrader`."""
    url, token = place.door()
    headers = {"Authorization": f"Bearer {token}", **observability.headers()}
    method, given = ("GET", None) if body is None else ("POST", dict(body))
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s), headers=headers) as http,
            http.request(method, f"{url}/{verb}", params=dict(query or {}), json=given) as answer,
        ):
            return answer.status, cast("Answer", await answer.json())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NoTrader(f"the trader at {url} does not answer: {type(error).__name__}") from None
