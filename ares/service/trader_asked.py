"""How services ask the trader of their machine. The command line has a way of its own, which imports less."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import aiohttp

from ares.control import Json
from ares.service.trader_door import NoTrader, address_path, token_path
from ares.telemetry import observability

Answer = dict[str, Json]


async def ask_trader(
    state_dir: Path,
    verb: str,
    timeout_s: float,
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
) -> tuple[int, Answer]:
    """GET a verb, or POST it with a body; returns the HTTP status and what the trader said. Raises `NoTrader`."""
    try:
        address, token = (path(state_dir).read_text(encoding="utf-8").strip() for path in (address_path, token_path))
    except OSError as error:
        raise NoTrader(f"no trader runs here: {error.filename} cannot be read ({error.strerror})") from None
    headers = {"Authorization": f"Bearer {token}", **observability.headers()}
    method, given = ("GET", None) if body is None else ("POST", dict(body))
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s), headers=headers) as http,
            http.request(method, f"http://{address}/{verb}", params=dict(query or {}), json=given) as answer,
        ):
            return answer.status, cast("Answer", await answer.json())
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise NoTrader(f"the trader at {address} does not answer: {type(error).__name__}") from None
