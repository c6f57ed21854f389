"""Talks to a running trader's control port, for the command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from ares.config.settings import AresConfig
from ares.errors import OperatingError, UsageError
from ares.service.trader_door import NoTrader, TraderPlace
from ares.telemetry import observability

Answer = dict[str, object]
REFUSED = 409


def call(config: AresConfig, verb: str, body: Mapping[str, str] | None, timeout_s: float) -> Answer:
    """GET a verb, or POST it with a body. Raises `UsageError` for a refusal, `OperatingError` for all else."""
    return call_at(_door(config), verb, body, timeout_s)


def call_at(door: tuple[str, str], verb: str, body: Mapping[str, str] | None, timeout_s: float) -> Answer:
    """The same at a door: the address and bearer token of a trader, whether it leads or not."""
    url, token = door
    request = Request(  # noqa: S310 - http or https: settings refuse all else
        f"{url}/{verb}",
        data=None if body is None else json.dumps(dict(body)).encode(),
        headers={
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            **observability.headers(),
        },
        method="GET" if body is None else "POST",
    )
    try:
        with urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - see above
            return cast("Answer", json.load(answer))
    except HTTPError as error:
        message = _message(error)
        raise (UsageError(message) if error.code == REFUSED else OperatingError(message)) from None
    except (URLError, OSError, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise NoTrader(f"the trader at {url} does not answer: {reason}. See `ares status`") from None


def _message(error: HTTPError) -> str:
    try:
        return f"trader: {json.load(error)['message']}"
    except (ValueError, KeyError, TypeError):
        return f"trader: HTTP {error.code}"


def _door(config: AresConfig) -> tuple[str, str]:
    try:
        return TraderPlace.of(config).door()
    except NoTrader as error:
        where = f"{config.trading.control_host}:{config.trading.control_port}"
        raise NoTrader(
            f"{error}; it would listen on {where}. Start it with `ares up`, or set ARES_ENVIRONMENT__STATE_DIR to its "
            "state directory, or trading.control_url"
        ) from None
