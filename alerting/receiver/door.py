"""The receiver's door: HTTP on loopback with a bearer token, for Alertmanager alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from alerting.receiver.actions import AlertActions
from alerting.receiver.dead_man import DeadMan
from alerting.receiver.outside import Messenger
from ares.errors import AresError
from ares.model.alerts import AlertTold, alerts_told
from ares.service.http import listen, stranger
from ares.telemetry import get_logger

BODY_BYTES_MAX = 1_048_576
"""A notification holds a whole group of alerts."""
TELEGRAM_CHARACTERS_MAX = 4_096

log = get_logger(__name__)


class ReceiverDoor:
    """Serves `POST /alerts`, `/watchdog` and `/telegram`.

    200: done, or nothing to do; 400: not a notification, 401: not Alertmanager; 503: tell me again.
    """

    def __init__(self, actions: AlertActions, dead_man: DeadMan, token: str) -> None:
        self._actions = actions
        self._dead_man = dead_man
        self._token = token
        self._telegram: tuple[Messenger, str] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._runner: web.AppRunner | None = None

    def speak_through(self, messenger: Messenger, chat: str) -> None:
        """Let `/telegram` speak there."""
        self._telegram = (messenger, chat)

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port (port 0 asks for any). Raises `PortInUse`."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guarded])
        for path, handler in (("/alerts", self._act), ("/watchdog", self._hear), ("/telegram", self._speak)):
            app.router.add_post(path, _told(handler))
        self._runner, bound = await listen(app, "alerting.port", host, port)
        return bound

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        refusal = stranger(request, self._token)
        if refusal is not None:
            log.warning("alerts_refused", cause="the token is wrong")
            return refusal
        try:
            return await handler(request)
        except AresError as error:
            log.error("alerts_not_taken", cause=error.code)
            return web.json_response({"error": error.code, "message": str(error)}, status=503)

    async def _act(self, alerts: Sequence[AlertTold]) -> web.Response:
        async with self._one_at_a_time:
            done = await self._actions.take(alerts)
        return web.json_response({"done": done}, status=200 if done else 503)

    async def _hear(self, alerts: Sequence[AlertTold]) -> web.Response:
        """Only a firing one says that rules are evaluated."""
        alive = any(told.firing for told in alerts)
        if alive:
            await self._dead_man.heard()
        return web.json_response({"alive": alive})

    async def _speak(self, alerts: Sequence[AlertTold]) -> web.Response:
        if self._telegram is None:
            return web.json_response({"told": False})
        messenger, chat = self._telegram
        await messenger.send({"chat_id": chat, "text": words(alerts)})
        return web.json_response({"told": True})


def words(alerts: Sequence[AlertTold]) -> str:
    """Alerts as people read them on a telephone: a line each, and where to read on."""
    lines = []
    for told in alerts:
        head = "FIRING" if told.firing else "over"
        severity = told.labels.get("severity", "")
        lines.append(f"{head} {severity} {told.name}: {told.summary}".replace("  ", " "))
        if told.firing and "runbook" in told.annotations:
            lines.append(told.annotations["runbook"])
    return "\n".join(lines)[:TELEGRAM_CHARACTERS_MAX]


def _told(
    handler: Callable[[Sequence[AlertTold]], Awaitable[web.Response]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            alerts = alerts_told(await request.read())
            for number, told in enumerate(alerts):
                if not told.fingerprint or not told.starts_at:
                    raise ValueError(f"alerts[{number}]: fingerprint and startsAt are expected")
        except ValueError as error:
            return web.json_response({"error": "usage", "message": str(error)}, status=400)
        return await handler(alerts)

    return handle
