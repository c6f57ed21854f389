"""Each process' own door for probes: /livez, /readyz, /metrics, /config and /-/reload, /-/memory on loopback."""

from __future__ import annotations

import errno
import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from ares.errors import PortInUse
from ares.service.profiling import PROFILE_S_MAX, Busy, allocations
from ares.service.reload import ConfigReloader
from ares.service.types import Service
from ares.telemetry import observability

SHUTDOWN_S = 60.0
"""aiohttp's own default: how long a stop waits for requests that are being answered."""


async def listen(
    app: web.Application, field: str, host: str, port: int, *, shutdown_s: float = SHUTDOWN_S
) -> tuple[web.AppRunner, int]:
    """Serve an application; returns its runner and port (port 0 asks for any). Raises `PortInUse` naming `field`."""
    app.middlewares.append(_traced)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=shutdown_s)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError as error:
        await runner.cleanup()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(field, host, port) from None
        raise
    bound: int = runner.addresses[0][1]
    return runner, bound


def stranger(request: web.Request, token: str) -> web.Response | None:
    """The answer to who does not carry this bearer token; None for who does. Takes as long for every wrong one."""
    given = request.headers.get("Authorization", "")
    if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return None
    return web.json_response({"error": "unauthorized", "message": "the token is wrong"}, status=401)


@web.middleware
async def _traced(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """What a request leads to belongs to its caller's trace."""
    with observability.continuing(request.headers):
        return await handler(request)


class ProbeServer:
    """Serves the probes of one service until it is stopped."""

    def __init__(self, service: Service, host: str, port: int, settings: ConfigReloader | None = None) -> None:
        self._service = service
        self._host = host
        self._port = port
        self._settings = settings
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; returns the port (port 0 asks for any). Raises `PortInUse`."""
        app = web.Application()
        app.router.add_get("/livez", self._livez)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_post("/-/memory", self._memory)
        if self._settings is not None:
            app.router.add_get("/config", self._config)
            app.router.add_post("/-/reload", self._reload)
        self._runner, bound = await listen(app, "monitoring.port_base", self._host, self._port)
        return bound

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _livez(self, _: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def _readyz(self, _: web.Request) -> web.Response:
        health = self._service.health()
        body = {"ready": health.ready, "detail": health.detail}
        return web.json_response(body, status=200 if health.ready else 503)

    async def _config(self, _: web.Request) -> web.Response:
        assert self._settings is not None
        return web.json_response(self._settings.state)

    async def _reload(self, request: web.Request) -> web.Response:
        """Read the settings again; only for this machine, whoever else may reach the probes."""
        assert self._settings is not None
        if not ip_address(request.remote or "::").is_loopback:
            return web.json_response({"error": "reload is for the machine itself"}, status=403)
        outcome = await self._settings.reload("api")
        body = {
            "applied": [change.field for change in outcome.applied],
            "waiting": [change.field for change in outcome.waiting],
            "error": outcome.error,
        }
        return web.json_response(body, status=422 if outcome.error else 200)

    async def _memory(self, request: web.Request) -> web.Response:
        """Watch what is allocated for a while; it slows the process down meanwhile, so only this machine may ask."""
        if not ip_address(request.remote or "::").is_loopback:
            return web.json_response({"error": "profiling is for the machine itself"}, status=403)
        try:
            seconds = min(float(request.query.get("seconds", "10")), PROFILE_S_MAX)
            return web.json_response(await allocations(seconds))
        except ValueError:
            return web.json_response({"error": "seconds is not a number"}, status=400)
        except Busy:
            return web.json_response({"error": "somebody profiles already"}, status=409)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(REGISTRY), headers={"Content-Type": CONTENT_TYPE_LATEST})
