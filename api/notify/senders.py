"""Carries one message to one target: Telegram, Slack, a webhook. No error of it tells an address: they are secrets."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

import aiohttp
import orjson

from api.notify.addresses import CarefulResolver, ForbiddenAddress
from api.notify.bot_api import BotApi
from api.notify.digest import Digest
from ares.clock import NANOS_PER_SECOND, Clock, isoformat
from ares.config.settings import AresConfig
from ares.control import Json
from ares.errors import OperatingError, VenueUnavailable
from ares.resilience import Guard, GuardPolicy
from ares.security.access.state import Target
from ares.security.access.targets import Address
from ares.security.access.topics import TargetKind

ANSWER_BYTES_MAX = 4_096
RETRY_AFTER_S_MAX = 60.0
SIGNATURE, TIMESTAMP = "Ares-Signature", "Ares-Timestamp"
VERSION = "v1"


@dataclass(frozen=True, slots=True)
class Message:
    """What is told: for people as a text, for programs as cells."""

    text: str
    cells: list[Json]
    count: int

    @classmethod
    def of(cls, digest: Digest, now_ns: int) -> Message:
        return cls(digest.text(now_ns), digest.cells(), digest.count)


class Senders:
    """One guard for each target: one that fails opens no other's breaker. `close` it."""

    def __init__(self, config: Callable[[], AresConfig], clock: Clock, bot: BotApi | None) -> None:
        self._config = config
        self._clock = clock
        self._bot = bot
        self._guards: dict[str, Guard] = {}
        self._http: aiohttp.ClientSession | None = None

    async def send(self, target: Target, address: Address, message: Message) -> None:
        """Once it is taken. Raises `VenueUnavailable`, `OperatingError`."""
        if target.kind is TargetKind.TELEGRAM:
            if self._bot is None:
                raise OperatingError("telegram: no bot here. Set notifications.telegram_token")
            await self._bot.send(address.place, message.text)
            return
        post = self._webhook if target.kind is TargetKind.WEBHOOK else self._slack
        guard = self._guards.get(target.id)
        if guard is None:
            config = self._config().notifications
            policy = GuardPolicy(config.send_s_max, attempts_max=2, open_s=config.retry_s_min)
            guard = self._guards[target.id] = Guard(f"notify {target.kind.value} {target.id}", self._clock, policy)
        await guard.call("message", partial(post, address, message), idempotent=True)

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def _slack(self, address: Address, message: Message) -> None:
        await self._post("slack", address.place, orjson.dumps({"text": slack_text(message.text)}), {})

    async def _webhook(self, address: Address, message: Message) -> None:
        now_ns = self._clock.now_ns()
        said = {"sent_at": isoformat(now_ns), "count": message.count, "text": message.text, "news": message.cells}
        body = orjson.dumps(said)
        await self._post("webhook", address.place, body, signed(address.key, now_ns // NANOS_PER_SECOND, body))

    async def _post(self, name: str, url: str, body: bytes, headers: Mapping[str, str]) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "Ares", **headers}
        try:
            async with self._session().post(url, data=body, headers=headers, allow_redirects=False) as answer:
                status, after = answer.status, answer.headers.get("Retry-After", "")
                await answer.content.read(ANSWER_BYTES_MAX)
        except ForbiddenAddress as error:
            raise OperatingError(f"{name}: {error}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise VenueUnavailable(f"{name}: {type(error).__name__}") from None
        raise_for(name, status, after)

    def _session(self) -> aiohttp.ClientSession:
        """Connections are not kept: who is told is told seldom."""
        if self._http is None:
            dev = self._config().environment.profile == "dev"
            connector = aiohttp.TCPConnector(resolver=CarefulResolver(dev=dev), force_close=True, use_dns_cache=False)
            self._http = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._http


def signed(key: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers that prove who sent a body, and when: HMAC-SHA256 over "<timestamp>.<body>".

    >>> signed("k", 1_795_464_293, b"{}")["Ares-Timestamp"]
    '1795464293'
    """
    digest = hmac.new(key.encode(), b"%d.%b" % (at_s, body), hashlib.sha256).hexdigest()
    return {TIMESTAMP: str(at_s), SIGNATURE: f"{VERSION}={digest}"}


def slack_text(text: str) -> str:
    """Slack reads three characters as its own; nothing of ours may become a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def raise_for(name: str, status: int, retry_after: str = "") -> None:
    """Raises `VenueUnavailable` for what may pass, `OperatingError` for what will not by itself."""
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        wait_s = min(float(retry_after), RETRY_AFTER_S_MAX) if retry_after.isdecimal() else None
        raise VenueUnavailable(f"{name}: answered {status}", wait_s)
    if status >= HTTPStatus.MULTIPLE_CHOICES:
        raise OperatingError(f"{name}: answered {status}")
