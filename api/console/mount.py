"""Puts the console beside the API, in one application."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Sequence
from http import HTTPStatus
from typing import cast
from urllib.parse import unquote, urlencode

from fastapi import FastAPI
from markupsafe import Markup
from nicegui import app as pages_app
from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.callers import origin
from api.console.entry import COOKIE, STATIC, kept, plain, routes_of
from api.console.formats import zone_of
from api.console.frame import frame
from api.console.house import House
from api.console.live import section, sentence
from api.console.pages.listed import PAGES
from api.console.registry import Page
from api.console.view import ROOT, View, caller_of
from api.parts import Parts
from ares.errors import AccessDenied, AresError

_ZONE, _THEME = "ares_zone", "ares_theme"
_UNSAID = {"credentials_missing", "token_invalid"}
_RECONNECT_S = 10.0
_QUERY_MAX = 200
_READY_S_MAX = 30.0
"""A page that is not there by then failed. A busy machine may take longer than the three seconds that NiceGUI gives."""


def mount(app: FastAPI, house: House) -> None:
    """Serve the console under /console. NiceGUI has one application a process, so this is done once."""
    app.router.routes.extend(routes_of(house))
    pages_app.add_static_files("/static", STATIC, max_cache_age=3_600)
    for page in PAGES:
        _serve(house, page, PAGES)
    app.add_middleware(KeepsSessions, parts=house.parts)
    # Its bar for requests in the background has no name that is read aloud, and nobody here waits for such.
    pages_app.config.quasar_config["loadingBar"]["skipHijack"] = True
    # The arrow of a list would be the only sign that is taken from a font of all signs, which is larger than any page.
    ui.select.default_props(f'dropdown-icon="img:{ROOT}/static/down.svg"')
    ui.run_with(
        app,
        title="Ares",
        favicon=STATIC / "ares.svg",
        mount_path=ROOT,
        language="en-US",
        tailwind=False,
        reconnect_timeout=_RECONNECT_S,
        binding_refresh_interval=None,
        show_welcome_message=False,
    )


def _serve(house: House, page: Page, pages: Sequence[Page]) -> None:
    async def show(request: Request) -> Response | None:
        try:
            caller = await asyncio.to_thread(caller_of, house, request.cookies.get(COOKIE, ""))
            cookie = await asyncio.to_thread(house.parts.door.browser_token, caller)
        except AccessDenied as error:
            here = f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path
            asked = {"next": here, "why": "" if error.reason in _UNSAID else error.reason}
            return RedirectResponse(f"{ROOT}/login?{urlencode(asked)}", HTTPStatus.SEE_OTHER)
        except AresError as error:
            return plain("Not now", Markup("<p>{}</p>").format(str(error)), HTTPStatus.SERVICE_UNAVAILABLE)
        dark = request.cookies.get(_THEME, "dark") == "dark"
        view = View(
            house=house,
            cookie=cookie,
            origin=origin(request),
            zone=zone_of(unquote(request.cookies.get(_ZONE, ""))),
            dark=dark,
            known=caller,
            precision=await house.precisions(),
            query=_asked(request),
        )
        request.scope["state"][COOKIE] = cookie
        if not page.shown_to(view):
            words = Markup('<p>{} is not for your role.</p><p><a href="{}/">Overview</a></p>').format(page.title, ROOT)
            return plain("Not for you", words, HTTPStatus.FORBIDDEN)
        ui.dark_mode(dark)
        with frame(view, page, pages):
            try:
                await page.build(view)
            except AresError as error:
                with section("Not now", "full"):
                    ui.html(Markup('<p class="failed" role="status">{}</p>').format(sentence(error)), sanitize=False)
        return None

    show.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # FastAPI reads parameters from it
        [inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Request)]
    )
    ui.page(f"/{page.path}", title=f"{page.title} · Ares", response_timeout=_READY_S_MAX)(show)


class KeepsSessions:
    """ASGI middleware: who looks at a page was not idle, which their cookie has to say."""

    def __init__(self, app: ASGIApp, parts: Parts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def keeping(message: Message) -> None:
            token = scope.get("state", {}).get(COOKIE)
            if token and message["type"] == "http.response.start":
                cookie = kept(token, scope["scheme"], self._parts.config().api.public_url)
                message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie.encode())]}
            await send(message)

        await self._app(scope, receive, keeping if scope["type"] == "http" else send)


def _asked(request: Request) -> dict[str, str]:
    """What a page is asked for: parts of its path, and its query."""
    path = {name: str(value) for name, value in cast("dict[str, object]", request.path_params).items()}
    query = {name: value[:_QUERY_MAX] for name, value in request.query_params.items()}
    return {**query, **path}
