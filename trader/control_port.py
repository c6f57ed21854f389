"""The trader's own door for orders from people: HTTP on loopback, a bearer token that only this user can read."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path

import orjson
from aiohttp import web

from ares.errors import AresError, OperatingError, UsageError
from ares.files import write_whole
from ares.service.http import listen
from trader.commander import Commander, Order, Outcome
from trader.control_files import address_path, token_path
from trader.portfolio.money import to_scale

BODY_BYTES_MAX = 16_384
WORDS = ("actor", "reason", "name", "value", "strategy", "symbol", "id")
WORDS_MAX = 200
CAPITAL_MAX = Decimal(10) ** 17
TOKEN_BYTES = 32
PRIVATE_MODE = 0o600


class ControlPort:
    """Serves `GET /status|limits` and `POST /halt|resume|flatten|capital|limit|approve` until stopped.

    Each start makes a new token.
    """

    def __init__(self, commander: Commander, state_dir: Path, host: str, port: int) -> None:
        self._commander = commander
        self._state_dir = state_dir
        self._host = host
        self._port = port
        self._token = secrets.token_urlsafe(TOKEN_BYTES)
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; returns the port (port 0 asks for any). Raises `PortInUse`."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guarded])
        app.router.add_get("/status", self._status)
        app.router.add_get("/limits", self._limits)
        for name, action in (
            ("halt", self._commander.halt),
            ("resume", self._commander.resume),
            ("flatten", self._commander.flatten),
            ("limit", self._commander.set_limit),
            ("approve", self._commander.approve_limit),
        ):
            app.router.add_post(f"/{name}", _command(action))
        app.router.add_post("/capital", self._capital)
        self._runner, port = await listen(app, "trading.control_port", self._host, self._port)
        _write_private(token_path(self._state_dir), self._token)
        _write_private(address_path(self._state_dir), f"{self._host}:{port}")
        return port

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            for path in (token_path(self._state_dir), address_path(self._state_dir)):
                path.unlink(missing_ok=True)

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Nobody without the token; an error of ours becomes its code and one sentence."""
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            return web.json_response({"error": "unauthorized", "message": "the token is wrong"}, status=401)
        try:
            return await handler(request)
        except UsageError as error:
            return web.json_response({"error": error.code, "message": str(error)}, status=409)
        except AresError as error:
            return web.json_response({"error": error.code, "message": str(error)}, status=503)

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.status())

    async def _capital(self, request: web.Request) -> web.Response:
        try:
            body = await request.read()
            order, (movement_id, amount) = _order(body), _movement(body)
        except ValueError as error:
            return web.json_response({"error": "usage", "message": str(error)}, status=400)
        return web.json_response(await self._commander.move_capital(order, movement_id, amount))

    async def _limits(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.limits())


def _command(action: Callable[[Order], Awaitable[Outcome]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            order = _order(await request.read())
        except ValueError as error:
            return web.json_response({"error": "usage", "message": str(error)}, status=400)
        return web.json_response(await action(order))

    return handle


def _order(body: bytes) -> Order:
    """Who, why and what, from a JSON object; all optional and bounded. Raises ValueError."""
    given = orjson.loads(body) if body else {}
    if not isinstance(given, dict):
        raise ValueError("body: a JSON object is expected")
    words: dict[str, str] = {}
    for name in WORDS:
        value = given.get(name, "unknown" if name == "actor" else "")
        if not isinstance(value, str) or len(value) > WORDS_MAX:
            raise ValueError(f"{name}: text of at most {WORDS_MAX} characters is expected")
        words[name] = value
    return Order(words.pop("actor"), words.pop("reason"), {name: word for name, word in words.items() if word})


def _movement(body: bytes) -> tuple[str, Decimal]:
    """A movement's id and amount, from a JSON object. Raises ValueError."""
    given = orjson.loads(body)
    movement_id, text = (str(given.get(name, "")) for name in ("id", "amount"))
    if not 0 < len(movement_id) <= WORDS_MAX:
        raise ValueError(f"id: text of 1 to {WORDS_MAX} characters is expected, one for each movement")
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"amount = {text!r}: a decimal number is expected, in quote currency") from None
    if not (amount.is_finite() and 0 < abs(amount) < CAPITAL_MAX and to_scale(amount) == amount):
        raise ValueError(f"amount = {text!r}: not 0, below {CAPITAL_MAX:f}, of at most ten digits after the point")
    return movement_id, amount


def _write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_whole(path, text.encode(), PRIVATE_MODE)
    except OSError as error:
        raise OperatingError(f"{path}: cannot be written ({error.strerror})") from None
