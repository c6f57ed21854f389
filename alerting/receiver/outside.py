"""Whom the receiver calls: the trader, and two webhooks, each behind the one guard."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from http import HTTPStatus

import aiohttp
import orjson

from ares.clock import Clock
from ares.config.alerting import AlertingConfig
from ares.control import Json
from ares.errors import OperatingError, VenueUnavailable
from ares.model.alerts import AlertTold
from ares.resilience import Guard, GuardPolicy
from ares.service.trader_asked import ask_trader
from ares.service.trader_door import NoTrader, TraderPlace


class TraderDoor:
    """Asks the trader of this place, through its control port."""

    def __init__(self, place: TraderPlace, config: Callable[[], AlertingConfig]) -> None:
        self._place = place
        self._config = config

    async def take(self, told: AlertTold, action: str) -> str:
        """See `RiskActions.take`; the trader itself takes a firing once. Raises `NoTrader`."""
        alert = {
            "status": "firing",
            "labels": {"alertname": told.name, "action": action},
            "annotations": {"summary": told.summary},
            "startsAt": told.starts_at,
            "fingerprint": told.fingerprint,
        }
        body = {"version": "4", "alerts": [alert]}
        status, said = await ask_trader(self._place, "alerts", self._config().act_s_max, body=body)
        if status != HTTPStatus.OK:
            raise NoTrader(f"the trader refused: {said.get('message', status)}")
        return str(said["state"])


class Messenger:
    """Posts JSON to one address outside."""

    def __init__(self, name: str, url: str, timeout_s: float, clock: Clock) -> None:
        self._name = name
        self._url = url
        self._guard = Guard(name, clock, GuardPolicy(deadline_s=timeout_s, attempts_max=3))

    async def send(self, body: Json) -> None:
        """Once it is taken. Raises `VenueUnavailable`, `OperatingError`; neither tells the address, a secret."""
        await self._guard.call("message", partial(self._post, orjson.dumps(body)), idempotent=True)

    async def _post(self, body: bytes) -> None:
        headers = {"Content-Type": "application/json"}
        try:
            async with aiohttp.ClientSession(headers=headers) as http, http.post(self._url, data=body) as answer:
                status = answer.status
        except aiohttp.ClientError as error:
            raise VenueUnavailable(f"{self._name}: {type(error).__name__}") from None
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise VenueUnavailable(f"{self._name}: answered {status}")
        if status >= HTTPStatus.MULTIPLE_CHOICES:
            raise OperatingError(f"{self._name}: answered {status}")


def telegram(config: AlertingConfig, clock: Clock) -> Messenger | None:
    """The bot of the settings, if there is one (https://core.telegram.org/bots/api#sendmessage)."""
    if config.telegram_token is None:
        return None
    url = f"{config.telegram_url}/bot{config.telegram_token.get_secret_value()}/sendMessage"
    return Messenger("telegram", url, config.tell_s_max, clock)
