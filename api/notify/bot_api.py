"""Telegram's Bot API, as far as it is needed: https://core.telegram.org/bots/api. Its token is in every address of it,
so no error, log line or trace of this module names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import cast

import aiohttp
import orjson

from ares.clock import NANOS_PER_SECOND, Clock
from ares.config.notifications import NotificationsConfig
from ares.control import Json
from ares.errors import OperatingError, VenueRejected, VenueUnavailable
from ares.resilience import Guard, GuardPolicy

ANSWER_BYTES_MAX = 4_000_000
UPDATES_MAX = 100
TEXT_MAX = 4_096
RETRY_AFTER_S_MAX = 60.0
OPEN_S = 5.0


@dataclass(frozen=True, slots=True)
class Update:
    """A message that came: from which chat, when it was written (UTC ns); other kinds of updates have no text.

    `private`: nobody but its writer reads and writes in the chat.
    """

    id: int
    chat: str
    private: bool
    text: str
    at_ns: int


class BotApi:
    """One bot. `close` it. Methods raise `VenueUnavailable`, `VenueRejected` with Telegram's own words."""

    def __init__(self, config: NotificationsConfig, clock: Clock) -> None:
        assert config.telegram_token is not None, "a bot without a token"
        self._base = f"{config.telegram_url.rstrip('/')}/bot{config.telegram_token.get_secret_value()}"
        self._poll_s = config.telegram_poll_s
        policy = GuardPolicy(deadline_s=config.send_s_max, attempts_max=3, open_s=OPEN_S)
        asks = GuardPolicy(deadline_s=config.telegram_poll_s + config.send_s_max, attempts_max=1, open_s=OPEN_S)
        self._speaks = Guard("telegram", clock, policy)
        self._hears = Guard("telegram updates", clock, asks)
        self._http: aiohttp.ClientSession | None = None

    async def updates(self, after_id: int | None) -> list[Update]:
        """What came after an update (None: all that Telegram kept), as soon as there is something."""
        wish: dict[str, Json] = {"timeout": int(self._poll_s), "limit": UPDATES_MAX, "allowed_updates": ["message"]}
        if after_id is not None:
            wish["offset"] = after_id + 1
        found = await self._hears.call("getUpdates", partial(self._ask, "getUpdates", wish), idempotent=True)
        updates = list[Update]()
        for said in found if isinstance(found, list) else []:
            number = said.get("update_id") if isinstance(said, dict) else None
            if isinstance(said, dict) and isinstance(number, int):
                updates.append(_update(said, number))
        return updates

    async def send(self, chat: str, text: str) -> None:
        """Say something in a chat, as plain text."""
        wish: dict[str, Json] = {
            "chat_id": int(chat),
            "text": text[:TEXT_MAX],
            "link_preview_options": {"is_disabled": True},
        }
        await self._speaks.call("sendMessage", partial(self._ask, "sendMessage", wish), idempotent=True)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _ask(self, method: str, wish: Mapping[str, Json]) -> Json:
        if self._http is None:
            self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        headers = {"Content-Type": "application/json"}
        try:
            async with self._http.post(
                f"{self._base}/{method}", data=orjson.dumps(dict(wish)), headers=headers, allow_redirects=False
            ) as answer:
                status, raw = answer.status, await _whole(answer)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise VenueUnavailable(f"telegram: {type(error).__name__}") from None
        return _result(status, raw)


async def _whole(answer: aiohttp.ClientResponse) -> bytes:
    """A body of bounded length. Raises ValueError for a longer one."""
    parts, length = list[bytes](), 0
    async for part in answer.content.iter_any():
        length += len(part)
        if length > ANSWER_BYTES_MAX:
            raise ValueError("the answer is too long")
        parts.append(part)
    return b"".join(parts)


def _result(status: int, raw: bytes) -> Json:
    """What an answer holds. Raises `VenueUnavailable`, `VenueRejected`, `OperatingError`."""
    try:
        said = cast("Json", orjson.loads(raw))
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise VenueUnavailable(f"telegram: answered {status} with something else than JSON")
    if said.get("ok") is True:
        return said.get("result")
    parameters, words = said.get("parameters"), str(said.get("description", ""))[:200]
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        wished = parameters.get("retry_after") if isinstance(parameters, dict) else None
        wait_s = min(float(wished), RETRY_AFTER_S_MAX) if isinstance(wished, int | float) else None
        raise VenueUnavailable(f"telegram: answered {status}", wait_s)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.NOT_FOUND}:
        raise OperatingError(f"telegram: answered {status}: the token is none. Check notifications.telegram_token")
    raise VenueRejected(words, f"telegram: answered {status}: {words}")


def _update(said: Mapping[str, Json], number: int) -> Update:
    message = said.get("message")
    if not isinstance(message, dict):
        return Update(number, "", private=False, text="", at_ns=0)
    chat, text, date = message.get("chat"), message.get("text"), message.get("date")
    chat = chat if isinstance(chat, dict) else {}
    return Update(
        number,
        str(chat.get("id", "")),
        private=chat.get("type") == "private",
        text=text if isinstance(text, str) else "",
        at_ns=date * NANOS_PER_SECOND if isinstance(date, int) else 0,
    )
