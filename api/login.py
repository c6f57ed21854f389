"""Coming in and going out: tokens, the second factor, one's own sessions and keys."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.callers import guard, origin
from api.parts import Parts
from api.policy import ANYBODY, PUBLIC, SELF, extra
from api.problem import FAULTS, responses
from ares.clock import isoformat
from ares.control.access import Session
from ares.errors import AccessDenied, UsageError
from ares.security.access.door import Caller, Tokens
from ares.security.access.state import ApiKey, listed
from ares.security.access.users import By

_STRANGERS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
CODE = r"^\d{6}$"


class Body(BaseModel):
    """What is posted: nothing that nobody asked for."""

    model_config = ConfigDict(extra="forbid")


class LoginBody(Body):
    user: str = Field(max_length=100, examples=["maria"])
    password: str = Field(max_length=200, examples=["correct horse battery"])
    code: str = Field("", pattern=r"^(\d{6})?$", description="of the second factor, if the user has one")


class RefreshBody(Body):
    refresh_token: str = Field(max_length=200, examples=["ares_rt_…"])


class CodeBody(Body):
    code: str = Field(pattern=CODE, examples=["123456"])


class PasswordBody(Body):
    password: str = Field(max_length=200, description="the one of now")
    new_password: str = Field(max_length=200)


class FactorBody(CodeBody):
    password: str = Field(max_length=200, description="the one of now")
    uri: str = Field(max_length=500, description="what `POST /auth/second-factor/begin` gave out")


class TokensShown(BaseModel):
    access_token: str
    refresh_token: str = Field(description="good once: shown again, the session ends")
    token_type: str = "bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(description="seconds", examples=[600])
    session: str


class AccessShown(BaseModel):
    access_token: str
    token_type: str = "bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int = Field(description="seconds", examples=[600])


class UriShown(BaseModel):
    uri: str = Field(description="for an authenticator to keep", examples=["otpauth://totp/Ares:maria?secret=…"])


class SessionShown(BaseModel):
    id: str
    began_at: str
    ends_at: str
    address: str
    agent: str
    this: bool = Field(description="whether it is the one that asks")


class KeyShown(BaseModel):
    id: str
    label: str
    permissions: list[str]
    accounts: list[str] | None
    strategies: list[str] | None
    expires_at: str | None
    revoked: bool


class Me(BaseModel):
    """Who asks, and what they may do."""

    user: str
    role: str
    permissions: list[str]
    accounts: list[str] | None = Field(description="null: not confined")
    strategies: list[str] | None
    second_factor: bool
    keys: list[KeyShown]


def router_of(parts: Parts) -> APIRouter:
    """The routes under /auth."""
    router = APIRouter(prefix="/auth", tags=["auth"])
    _coming_and_going(router, parts)
    _oneself(router, parts)
    _second_factor(router, parts)
    _own_sessions(router, parts)
    return router


def _coming_and_going(router: APIRouter, parts: Parts) -> None:
    self_ = guard(parts, SELF)

    @router.post("/login", openapi_extra=extra(PUBLIC), responses=_STRANGERS, operation_id="login")
    async def login(body: LoginBody, request: Request) -> TokensShown:
        """Log in with a password, and a code where the user has a second factor."""
        return shown(await asyncio.to_thread(parts.door.login, body.user, body.password, body.code, origin(request)))

    @router.post("/refresh", openapi_extra=extra(PUBLIC), responses=_STRANGERS, operation_id="refresh")
    async def refresh(body: RefreshBody, request: Request) -> TokensShown:
        """New tokens for a session, before or after the access token has expired."""
        return shown(await asyncio.to_thread(parts.door.refresh, body.refresh_token, origin(request)))

    @router.post("/logout", openapi_extra=extra(SELF), responses=FAULTS, status_code=204, operation_id="logout")
    async def logout(caller: Annotated[Caller, Depends(self_)]) -> Response:
        """End this session, at once."""
        await asyncio.to_thread(parts.door.logout, caller.session, "logged out")
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _oneself(router: APIRouter, parts: Parts) -> None:
    self_, anybody = guard(parts, SELF), guard(parts, ANYBODY)

    @router.get("/me", openapi_extra=extra(ANYBODY), responses=FAULTS, operation_id="me")
    async def me(caller: Annotated[Caller, Depends(anybody)]) -> Me:
        """Who asks, what they may do and where."""
        user = await asyncio.to_thread(parts.door.users.get, caller.user)
        return Me(
            user=caller.user,
            role=caller.role.value,
            permissions=sorted(caller.permissions),
            accounts=listed(caller.scope.accounts),
            strategies=listed(caller.scope.strategies),
            second_factor=user.second_factor,
            keys=[key_shown(key) for key in user.keys.values()] if caller.session else [],
        )

    @router.post("/step-up", openapi_extra=extra(SELF), responses=FAULTS, operation_id="step_up")
    async def step_up(body: CodeBody, request: Request, caller: Annotated[Caller, Depends(self_)]) -> AccessShown:
        """Show a code of the second factor: for a few minutes dangerous things can be done."""
        token = await asyncio.to_thread(parts.door.step_up, caller, body.code, origin(request))
        return AccessShown(access_token=token, expires_in=int(parts.config().access.token_s))

    @router.post("/password", openapi_extra=extra(SELF), responses=FAULTS, status_code=204, operation_id="set_password")
    async def password(body: PasswordBody, request: Request, caller: Annotated[Caller, Depends(self_)]) -> Response:
        """Another password; all sessions end, this one too."""
        await asyncio.to_thread(parts.door.prove, caller.user, body.password, origin(request))
        await asyncio.to_thread(parts.door.users.set_password, caller.user, body.new_password, By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _second_factor(router: APIRouter, parts: Parts) -> None:
    self_ = guard(parts, SELF)

    @router.post(
        "/second-factor/begin", openapi_extra=extra(SELF), responses=FAULTS, operation_id="begin_second_factor"
    )
    async def begin(caller: Annotated[Caller, Depends(self_)]) -> UriShown:
        """A new second factor; it holds once its code was shown."""
        return UriShown(uri=parts.door.begin_second_factor(caller.user))

    @router.post(
        "/second-factor", openapi_extra=extra(SELF), responses=FAULTS, status_code=204,
        operation_id="confirm_second_factor",
    )  # fmt: skip
    async def confirm(body: FactorBody, request: Request, caller: Annotated[Caller, Depends(self_)]) -> Response:
        """Keep a second factor. In place of another one it wants a code of that, shown just now."""
        user = await asyncio.to_thread(parts.door.users.get, caller.user)
        if user.second_factor and not parts.door.is_fresh(caller):
            raise AccessDenied("second_factor_old")
        await asyncio.to_thread(parts.door.prove, caller.user, body.password, origin(request))
        by = By(caller.user)
        await asyncio.to_thread(parts.door.confirm_second_factor, caller.user, body.uri, body.code, by)
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _own_sessions(router: APIRouter, parts: Parts) -> None:
    self_ = guard(parts, SELF)

    @router.get("/sessions", openapi_extra=extra(SELF), responses=FAULTS, operation_id="list_sessions")
    async def sessions(caller: Annotated[Caller, Depends(self_)]) -> list[SessionShown]:
        """One's own open sessions."""
        found = await asyncio.to_thread(parts.door.sessions, caller.user)
        return [session_shown(each, caller) for each in found]

    @router.delete(
        "/sessions/{session}", openapi_extra=extra(SELF), responses=FAULTS, status_code=204,
        operation_id="end_session",
    )  # fmt: skip
    async def end(session: str, caller: Annotated[Caller, Depends(self_)]) -> Response:
        """End one of one's own sessions, at once."""
        found = await asyncio.to_thread(parts.door.sessions, caller.user)
        if session not in {each.id for each in found}:
            raise UsageError(f"session = {session[:80]!r}: none of yours that is open")
        await asyncio.to_thread(parts.door.logout, session, f"ended by {caller.user}")
        return Response(status_code=HTTPStatus.NO_CONTENT)


def key_shown(key: ApiKey) -> KeyShown:
    """A key without its secret."""
    return KeyShown(
        id=key.id,
        label=key.label,
        permissions=sorted(key.permissions),
        accounts=listed(key.scope.accounts),
        strategies=listed(key.scope.strategies),
        expires_at=None if key.expires_at_ns is None else isoformat(key.expires_at_ns),
        revoked=key.revoked,
    )


def session_shown(session: Session, caller: Caller) -> SessionShown:
    """A session as its user sees it."""
    return SessionShown(
        id=session.id,
        began_at=isoformat(session.began_at_ns),
        ends_at=isoformat(session.ends_at_ns),
        address=session.address,
        agent=session.agent,
        this=session.id == caller.session,
    )


def shown(tokens: Tokens) -> TokensShown:
    """What somebody who came in is given."""
    return TokensShown(
        access_token=tokens.access,
        refresh_token=tokens.refresh,
        expires_in=tokens.expires_in_s,
        session=tokens.session.id,
    )
