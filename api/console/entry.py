"""Coming into the console and leaving it: plain pages, which need no script, and the cookie."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from api.callers import origin
from api.console.house import House
from api.console.view import ROOT, caller_of
from api.reports import shown
from ares.errors import AccessDenied, AresError, UnknownName
from ares.security.access.roles import Permission

COOKIE: Final = "ares_session"
STATIC = Path(__file__).parent / "static"
_WORDS = {
    "session_ended": "Your session has ended. Log in again.",
    "token_expired": "You were away for long. Log in again.",
    "password_changed": "Your password is another one now. Log in with it.",
    "": "",
}
_PAGE = Markup(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · Ares</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><link rel="icon" href="{root}/static/ares.svg">'
    '<link rel="stylesheet" href="{root}/static/console.css">'
    '<script src="{root}/static/console.js" defer></script></head><body class="console plain-page"><main>'
    "<h1>{title}</h1>{body}</main></body></html>"
)
_FORM = Markup(
    '<form method="post" action="{root}/login" class="login">{said}<input type="hidden" name="next" value="{next}">'
    '<label>User<input name="user" autocomplete="username" required maxlength="100" autofocus></label>'
    '<label>Password<input name="password" type="password" autocomplete="current-password" required maxlength="200">'
    '</label><label>Code <span class="hint">of the second factor, if you have one</span>'
    '<input name="code" inputmode="numeric" autocomplete="one-time-code" pattern="[0-9]{{6}}" maxlength="6"></label>'
    '<button type="submit">Log in</button></form>'
)


def routes_of(house: House) -> list[Route]:
    """Log in and out. What they may do is decided at the door."""

    async def login(request: Request) -> Response:
        if request.method == "GET":
            why = request.query_params.get("why", "")
            return form(_WORDS.get(why, ""), request.query_params.get("next", ""))
        if not same_origin(request):
            return form("The form was not ours. Try again.", "", HTTPStatus.FORBIDDEN)
        given = await request.form(max_fields=10, max_files=0)
        name, password, code, following = (str(given.get(each, "")) for each in ("user", "password", "code", "next"))
        try:
            cookie = await asyncio.to_thread(_log_in, house, request, name, password, code)
        except AccessDenied as error:
            return form(str(error).capitalize(), following, HTTPStatus.UNAUTHORIZED)
        except AresError as error:
            return form(str(error).capitalize(), following, HTTPStatus.SERVICE_UNAVAILABLE)
        answer = RedirectResponse(inside(following), HTTPStatus.SEE_OTHER)
        public_url = house.parts.config().api.public_url
        answer.headers.append("Set-Cookie", kept(cookie, request.url.scheme, public_url))
        return answer

    async def logout(request: Request) -> Response:
        answer = RedirectResponse(f"{ROOT}/login", HTTPStatus.SEE_OTHER)
        answer.delete_cookie(COOKIE, ROOT)
        if same_origin(request):
            await asyncio.to_thread(_log_out, house, request.cookies.get(COOKIE, ""))
        return answer

    async def report(request: Request) -> Response:
        """The page of a backtest. Its own policy lets nothing in it load or run."""
        try:
            caller = await asyncio.to_thread(caller_of, house, request.cookies.get(COOKIE, ""))
            caller.require(Permission.READ_RESEARCH)
            return await shown(house.parts, caller, request.path_params["run_id"])
        except AccessDenied as error:
            return plain("Not for you", Markup("<p>{}</p>").format(str(error)), HTTPStatus.FORBIDDEN)
        except UnknownName:
            words = Markup("<p>No page of this run is kept here.</p>")
            return plain("No such report", words, HTTPStatus.NOT_FOUND)
        except AresError as error:
            return plain("Not now", Markup("<p>{}</p>").format(str(error)), HTTPStatus.SERVICE_UNAVAILABLE)

    return [
        Route(f"{ROOT}/reports/{{run_id}}", report),
        Route(f"{ROOT}/login", login, methods=["GET", "POST"]),
        Route(f"{ROOT}/logout", logout, methods=["POST"]),
        Route(ROOT, lambda _: RedirectResponse(f"{ROOT}/")),
    ]


def kept(token: str, scheme: str, public_url: str) -> str:
    """The header that lets a browser keep its token: no script can read it, no other site can send it.

    Nor does it go out in the clear where browsers come by TLS, which a gateway before us may end: `public_url` knows.

    >>> kept("x", "http", "https://ares.example.com").endswith("Secure"), kept("x", "http", "http://127.0.0.1:8840")[-6:]
    (True, 'Strict')
    """
    secure = "https" in (scheme, urlsplit(public_url).scheme)
    return f"{COOKIE}={token}; Path={ROOT}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"


def form(said: str, following: str, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """The page to log in on."""
    words = Markup('<p class="failed" role="alert">{}</p>').format(said) if said else Markup("")
    return plain("Log in", _FORM.format(root=ROOT, said=words, next=inside(following)), status)


def plain(title: str, body: Markup, status: HTTPStatus) -> Response:
    """A page without a frame."""
    return HTMLResponse(_PAGE.format(root=ROOT, title=title, body=body), status, {"Cache-Control": "no-store"})


def inside(following: str) -> str:
    """Where to go then: only within the console.

    >>> inside("/console/risk"), inside("https://elsewhere/console/"), inside("//elsewhere"), inside("/console/../x")
    ('/console/risk', '/console/', '/console/', '/console/')
    """
    parts = urlsplit(following)
    good = not parts.scheme and not parts.netloc and parts.path.startswith(f"{ROOT}/") and ".." not in parts.path
    return following if good and "\\" not in following and following.isprintable() else f"{ROOT}/"


def same_origin(request: Request) -> bool:
    """Whether a form was sent from a page of ours. Browsers say so with each POST."""
    said = request.headers.get("Origin")
    return said is None or urlsplit(said).netloc == request.headers.get("Host")


def _log_in(house: House, request: Request, name: str, password: str, code: str) -> str:
    door = house.parts.door
    return door.browser_token(door.caller(door.login(name, password, code, origin(request)).access))


def _log_out(house: House, cookie: str) -> None:
    try:
        caller = caller_of(house, cookie)
    except AccessDenied:
        return
    house.stepped_up.pop(caller.session, None)
    house.parts.door.logout(caller.session, "logged out")
