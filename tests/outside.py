"""Whom notifications are sent to, on loopback: Telegram's Bot API as it is documented, Slack's incoming webhooks, and a
webhook of one's own. https://core.telegram.org/bots/api, https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import cast

from aiohttp import web

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.control import Json

TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"  # pragma: allowlist secret - the documentation's own example
SLACK_PATH = "/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX"  # pragma: allowlist secret - Slack's example
CHAT, STRANGER = 4_242_001, 4_242_666


@dataclass(slots=True)
class Posted:
    """What a webhook was sent."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Outside:
    """What came, what is answered. `status`: what everybody is answered instead, while it is not 0."""

    address: str = ""
    chats: set[int] = field(default_factory=lambda: {CHAT, STRANGER})
    said: list[tuple[int, str]] = field(default_factory=list)
    slack: list[str] = field(default_factory=list)
    posted: list[Posted] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    status: int = 0
    retry_after: int = 0
    _updates: list[dict[str, Json]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=lambda: count(700_001))
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _poll: asyncio.Future[None] | None = None

    def write(self, text: str, chat: int = CHAT, *, age_s: int = 0, kind: str = "private") -> int:
        """Somebody writes to the bot; kept until it was confirmed by an offset, as Telegram does."""
        number = next(self._numbers)
        message: dict[str, Json] = {
            "message_id": number,
            "from": {"id": chat, "is_bot": False, "first_name": "Maria"},
            "chat": {"id": chat, "type": kind},
            "date": SystemClock().now_ns() // NANOS_PER_SECOND - age_s,
            "text": text,
        }
        self._updates.append({"update_id": number, "message": message})
        self._news.set()
        return number

    def told(self, chat: int = CHAT) -> list[str]:
        """What was said in a chat."""
        return [text for there, text in self.said if there == chat]

    @property
    def waiting(self) -> list[dict[str, Json]]:
        """Updates that nobody confirmed."""
        return self._updates

    async def bot(self, request: web.Request) -> web.Response:
        """POST /bot<token>/<method>."""
        self.paths.append(request.path)
        wish = cast("dict[str, Json]", await request.json())
        if request.match_info["token"] != TOKEN:
            return refused(401, "Unauthorized")
        if self.status:
            return refused(self.status, "Too Many Requests" if self.status == 429 else "away", self.retry_after)
        if request.match_info["method"] == "getUpdates":
            return await self._get_updates(wish)
        return self._send_message(wish)

    async def _get_updates(self, wish: dict[str, Json]) -> web.Response:
        """What was not confirmed, at once or as soon as something comes; a second question ends the first."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        mine = self._poll = asyncio.get_running_loop().create_future()
        offset, limit, wait_s = (wish.get(name) for name in ("offset", "limit", "timeout"))
        if isinstance(offset, int):
            self._updates = [each for each in self._updates if cast("int", each["update_id"]) >= offset]
        if not self._updates:
            self._news.clear()
            coming = asyncio.ensure_future(self._news.wait())
            await asyncio.wait({coming, mine}, timeout=float(cast("int", wait_s)), return_when="FIRST_COMPLETED")
            coming.cancel()
        if mine.done():
            return refused(409, "Conflict: terminated by other getUpdates request")
        return web.json_response({"ok": True, "result": self._updates[: cast("int", limit)]})

    def _send_message(self, wish: dict[str, Json]) -> web.Response:
        chat, text = wish.get("chat_id"), wish.get("text")
        if not isinstance(text, str) or not text:
            return refused(400, "Bad Request: message text is empty")
        if len(text) > 4_096:
            return refused(400, "Bad Request: message is too long")
        if not isinstance(chat, int) or chat not in self.chats:
            return refused(400, "Bad Request: chat not found")
        self.said.append((chat, text))
        return web.json_response({"ok": True, "result": {"message_id": len(self.said), "chat": {"id": chat}}})

    async def hook(self, request: web.Request) -> web.Response:
        """POST /services/…: Slack takes an object with a text, and answers with a word."""
        if self.status:
            return web.Response(status=self.status, text="away")
        said = await request.json()
        if not isinstance(said.get("text"), str) or not said["text"]:
            return web.Response(status=400, text="no_text")
        self.slack.append(said["text"])
        return web.Response(text="ok")

    async def webhook(self, request: web.Request) -> web.Response:
        """POST /hook."""
        if self.status in {302, 307}:
            return web.Response(status=self.status, headers={"Location": f"{self.address}/elsewhere"})
        self.posted.append(Posted(dict(request.headers), await request.read()))
        return web.Response(status=self.status or 204)

    async def elsewhere(self, _: web.Request) -> web.Response:
        """Where nothing must ever come."""
        self.paths.append("/elsewhere")
        return web.Response()


def refused(status: int, description: str, retry_after: int = 0) -> web.Response:
    """As the Bot API says no."""
    body: dict[str, Json] = {"ok": False, "error_code": status, "description": description}
    if retry_after:
        body["parameters"] = {"retry_after": retry_after}
    return web.json_response(body, status=status)


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """It listens for the length of the block."""
    there = Outside()
    app = web.Application()
    app.router.add_post("/bot{token}/{method}", there.bot)
    app.router.add_post(SLACK_PATH, there.hook)
    app.router.add_post("/hook", there.webhook)
    app.router.add_route("*", "/elsewhere", there.elsewhere)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    there.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield there
    finally:
        await runner.cleanup()
