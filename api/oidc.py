"""Coming in by an identity provider (OpenID Connect, authorization code with PKCE): there and back in a browser."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Cookie, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from api.callers import origin
from api.login import TokensShown, shown
from api.parts import Parts
from api.policy import PUBLIC, extra
from api.problem import of_error, responses
from ares.errors import AccessDenied, UsageError
from ares.security.access.identity import NotBelieved
from ares.security.access.provider import Provider

PATH = "/auth/oidc"
CALLBACK = f"/api/v1{PATH}/callback"
"""What the provider knows as our address; later versions send browsers there, too."""
COOKIE = "ares_oidc"
_FAULTS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class ProviderAnswer(BaseModel):
    """What the browser brings back; providers add more, which is not looked at."""

    code: str = Field("", max_length=2_000)
    state: str = Field("", max_length=200)
    error: str = Field("", max_length=200)


def router_of(parts: Parts) -> APIRouter:
    """The routes under /auth/oidc."""
    router = APIRouter(prefix=PATH, tags=["auth"], responses=_FAULTS)
    _leaving(router, parts)
    _coming_back(router, parts)
    return router


def _leaving(router: APIRouter, parts: Parts) -> None:
    @router.get(
        "/login", openapi_extra=extra(PUBLIC), operation_id="login_by_provider", status_code=HTTPStatus.FOUND,
        response_class=RedirectResponse,
    )  # fmt: skip
    async def login() -> Response:
        """To the identity provider; this browser alone can come back."""
        provider = _provider(parts)
        sealed, asking = await asyncio.to_thread(parts.door.begin_login)
        config = parts.config()
        answer = RedirectResponse(await provider.address(asking), HTTPStatus.FOUND, {"Cache-Control": "no-store"})
        answer.set_cookie(
            COOKIE,
            sealed,
            max_age=int(config.access.oidc.login_s_max),
            path=CALLBACK,
            secure=config.api.public_url.startswith("https:"),
            httponly=True,
            samesite="lax",
        )
        return answer


def _coming_back(router: APIRouter, parts: Parts) -> None:
    @router.get("/callback", openapi_extra=extra(PUBLIC), operation_id="provider_callback", response_model=TokensShown)
    async def callback(
        request: Request,
        response: Response,
        said: Annotated[ProviderAnswer, Query()],
        ares_oidc: Annotated[str, Cookie(max_length=4_000)] = "",
    ) -> TokensShown | Response:
        """Back from the identity provider: tokens of a session of ours."""
        provider, door, place = _provider(parts), parts.door, origin(request)
        try:
            asking = await asyncio.to_thread(door.answered, ares_oidc, said.state, place)
            try:
                if said.error or not said.code:
                    raise NotBelieved("provider_refused")
                identity = await provider.identity(said.code, asking)
            except NotBelieved as cause:
                raise await asyncio.to_thread(door.not_believed, cause.cause, place) from None
            tokens = await asyncio.to_thread(door.login_as, identity, place)
        except AccessDenied as denied:
            return _forgetting(of_error(denied))
        _forgetting(response)
        return shown(tokens)


def _forgetting(answer: Response) -> Response:
    """What the browser kept is good for one answer."""
    answer.delete_cookie(COOKIE, CALLBACK)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _provider(parts: Parts) -> Provider:
    if parts.provider is None:
        raise UsageError("access.oidc.issuer = '': no identity provider is set. Log in with a password")
    return parts.provider
