"""The trader's own door for orders from people: HTTP with a bearer token of this user, or of whoever was given it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from pydantic import SecretStr

from ares.errors import AresError, OperatingError, PortInUse, UsageError
from ares.files import PRIVATE_MODE, write_whole
from ares.service.http import listen, stranger
from ares.service.trader_door import address_path, token_path
from ares.telemetry import metrics
from trader.alerts import firing
from trader.command_log import Outcome
from trader.commander import Commander
from trader.control_bodies import Body
from trader.execution.lease import BLUE

BODY_BYTES_MAX = 1_048_576
"""A notification of Alertmanager holds a whole group of alerts."""
TOKEN_BYTES = 32
CONNECT_S_MAX = 1.0

UNATTENDED = ("/alerts", "/alive", "/handover")
"""What machines ask by themselves: nobody has looked for it."""

Action = Callable[[Body], Awaitable[Outcome]]


class ControlPort:
    """Serves `GET /status|why|limits|approvals|handover|verify` and `POST /<command>` until stopped.

    `token`: the one that others were given, too; None: a new one with each start. Where it is found is told by the
    files of its `color`; by everybody's, too, once it leads (`lead`), and before where no other trader is here.
    """

    def __init__(
        self,
        commander: Commander,
        state_dir: Path,
        host: str,
        port: int,
        *,
        token: SecretStr | None = None,
        color: str = BLUE,
    ) -> None:
        self._commander = commander
        self._color = color
        self._state_dir = state_dir
        self._host = host
        self._port = port
        self._token = token.get_secret_value() if token else secrets.token_urlsafe(TOKEN_BYTES)
        self._runner: web.AppRunner | None = None
        self._address = ""

    async def start(self) -> int:
        """Listen; returns the port (port 0 asks for any). Raises `PortInUse`."""
        try:
            self._runner, port = await listen(self._app(), "trading.control_port", self._host, self._port)
        except PortInUse:
            if self._color == BLUE:
                raise
            # Beside another trader of this machine any port will do: it is found by its files.
            self._runner, port = await listen(self._app(), "trading.control_port", self._host, 0)
        self._address = f"{self._host}:{port}"
        self._tell(self._color)
        if not await self._other_is_here():
            self._tell("")
        return port

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guarded])
        app.router.add_get("/status", self._status)
        app.router.add_get("/limits", self._limits)
        app.router.add_get("/why", self._why)
        app.router.add_get("/approvals", self._approvals)
        app.router.add_get("/handover", self._handover)
        app.router.add_get("/verify", self._verify)
        for name, action in self._actions().items():
            app.router.add_post(f"/{name}", _command(action))
        app.router.add_post("/alerts", self._alerts)
        return app

    async def lead(self) -> None:
        """Be the one that everybody finds here."""
        self._tell("")

    def serve(self, commander: Commander) -> None:
        """Let another one carry out what is ordered from now on."""
        self._commander = commander

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            for color in (self._color, ""):
                if self._told(color) == self._address:
                    for path in (token_path(self._state_dir, color), address_path(self._state_dir, color)):
                        path.unlink(missing_ok=True)

    def _tell(self, color: str) -> None:
        _write_private(token_path(self._state_dir, color), self._token)
        _write_private(address_path(self._state_dir, color), self._address)

    def _told(self, color: str) -> str:
        """Whom the files name."""
        try:
            return address_path(self._state_dir, color).read_text(encoding="utf-8").strip()
        except OSError:
            return ""

    async def _other_is_here(self) -> bool:
        """Whether somebody listens where everybody's files lead to."""
        host, _, port = self._told("").rpartition(":")
        if not port.isdecimal():
            return False
        try:
            async with asyncio.timeout(CONNECT_S_MAX):
                _, writer = await asyncio.open_connection(host, int(port))
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    @web.middleware
    async def _guarded(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Nobody without the token; an error of ours becomes its code and one sentence."""
        refusal = stranger(request, self._token)
        if refusal is not None:
            return refusal
        if request.path not in UNATTENDED:
            metrics.TRADER_LOOKED.set_to_current_time()
        try:
            return await handler(request)
        except UsageError as error:
            return web.json_response({"error": error.code, "message": str(error)}, status=409)
        except AresError as error:
            return web.json_response({"error": error.code, "message": str(error)}, status=503)

    def _actions(self) -> dict[str, Action]:
        """What may be posted, and how its body is read."""

        async def resume(body: Body) -> Outcome:
            commander, strategy = self._commander, body.text("strategy")
            if strategy:
                return await commander.resume_strategy(body.order(), strategy)
            return await commander.resume(body.order())

        async def cancel(body: Body) -> Outcome:
            commander, order_id = self._commander, body.text("order_id")
            return await (commander.cancel(body.order(), order_id) if order_id else commander.cancel_all(body.order()))

        return {
            "halt": lambda body: self._commander.halt(body.order()),
            "resume": resume,
            "pause": lambda body: self._commander.pause(body.order(), body.text("strategy")),
            "cancel": cancel,
            "preview": lambda body: self._commander.preview(body.wish()),
            "order": lambda body: self._commander.order(body.order(), body.wish()),
            "amend": lambda body: self._commander.amend(body.order(), body.text("order_id"), body.change()),
            "flatten": lambda body: self._commander.flatten(body.order()),
            "alive": lambda body: self._commander.alive(body.order()),
            "capital": lambda body: self._commander.move_capital(body.order(), *body.movement()),
            "limit": lambda body: self._commander.set_limit(body.order(), *body.limit()),
            "approve": lambda body: self._commander.approve_limit(body.order(), body.text("id")),
            "live_request": lambda body: self._commander.consent.request(body.order()),
            "live_approve": lambda body: self._commander.consent.approve(body.order(), body.text("terms")),
            "switch": lambda body: self._commander.handover.switch(body.order(), body.names("despite")),
            "rollback": lambda body: self._commander.handover.rollback(body.order(), body.color("to")),
            "handover_end": lambda body: self._commander.handover.end(body.order(), *body.handover_end()),
            "live_withdraw": lambda body: self._commander.consent.withdraw(body.order()),
        }

    async def _status(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.status())

    async def _why(self, request: web.Request) -> web.Response:
        return web.json_response(await self._commander.why(request.query.get("symbol")))

    async def _limits(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.limits())

    async def _approvals(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.approvals())

    async def _handover(self, _: web.Request) -> web.Response:
        return web.json_response(await self._commander.handover.told())

    async def _verify(self, request: web.Request) -> web.Response:
        meant = Body({"despite": request.query.get("despite", "")}).names("despite")
        return web.json_response(await self._commander.handover.verify(meant))

    async def _alerts(self, request: web.Request) -> web.Response:
        """A notification of Alertmanager."""
        try:
            alerts = firing(await request.read())
        except ValueError as error:
            return web.json_response({"error": "usage", "message": str(error)}, status=400)
        return web.json_response(await self._commander.alerts(alerts))


def _command(action: Action) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        try:
            body = Body.read(await request.read())
        except ValueError as error:
            return web.json_response({"error": "usage", "message": str(error)}, status=400)
        return web.json_response(await action(body))

    return handle


def _write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        write_whole(path, text.encode(), PRIVATE_MODE)
    except OSError as error:
        raise OperatingError(f"{path}: cannot be written ({error.strerror})") from None
