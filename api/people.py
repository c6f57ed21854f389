"""Users, as admins see and change them."""

import asyncio
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.login import Body, KeyShown, SessionShown, key_shown, session_shown
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import FAULTS
from ares.clock import DAY_NS, isoformat
from ares.security.access.door import Caller
from ares.security.access.provider import vouched
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.state import User, confined, listed
from ares.security.access.users import By, KeyWish

Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=200)]
Name = Annotated[str, Path(max_length=32, pattern=r"^[a-z][a-z0-9._-]{1,31}$")]


class RoleBody(Body):
    role: Role
    accounts: Names | None = Field(None, description="confined to these; null: not confined")
    strategies: Names | None = None
    why: str = Field("", max_length=200)

    @property
    def scope(self) -> Scope:
        return Scope(confined(self.accounts), confined(self.strategies))


class UserBody(RoleBody):
    user: str = Field(max_length=32, examples=["maria"])
    password: str = Field(max_length=200)


class WhyBody(Body):
    why: str = Field("", max_length=200)


class IdentityBody(WhyBody):
    subject: str = Field(max_length=255, description="`sub` at access.oidc.issuer", examples=["00u1a2b3c4"])


class KeyBody(Body):
    label: str = Field(max_length=100, examples=["notebook"])
    permissions: list[Permission] = Field(max_length=50)
    accounts: Names | None = None
    strategies: Names | None = None
    days: int | None = Field(None, ge=1, le=3_650, description="until it expires; null: never")


class UserShown(BaseModel):
    user: str
    role: Role
    accounts: list[str] | None
    strategies: list[str] | None
    enabled: bool
    second_factor: bool
    added_at: str
    keys: list[KeyShown]


class KeyMadeShown(BaseModel):
    key: str = Field(description="shown once", examples=["ares_ak_…"])


def router_of(parts: Parts) -> APIRouter:
    """The routes under /users."""
    router = APIRouter(prefix="/users", tags=["users"], responses=FAULTS)
    _looks(router, parts)
    _roles(router, parts)
    _switches(router, parts)
    _identities(router, parts)
    _keys(router, parts)
    return router


def _looks(router: APIRouter, parts: Parts) -> None:
    users, sees = parts.door.users, Policy(Permission.READ_USERS)

    @router.get("", openapi_extra=extra(sees), operation_id="list_users")
    async def every(_: Annotated[Caller, Depends(guard(parts, sees))]) -> list[UserShown]:
        """All users, in the order in which they were added."""
        return await asyncio.to_thread(lambda: [_shown(users.get(name)) for name in users.names()])

    @router.get("/{user}", openapi_extra=extra(sees), operation_id="show_user")
    async def one(user: Name, _: Annotated[Caller, Depends(guard(parts, sees))]) -> UserShown:
        """One user."""
        return _shown(await asyncio.to_thread(users.get, user))

    @router.get("/{user}/sessions", openapi_extra=extra(sees), operation_id="list_user_sessions")
    async def sessions(user: Name, caller: Annotated[Caller, Depends(guard(parts, sees))]) -> list[SessionShown]:
        """Open sessions of a user."""
        return [session_shown(each, caller) for each in await asyncio.to_thread(parts.door.sessions, user)]


def _roles(router: APIRouter, parts: Parts) -> None:
    users, manages = parts.door.users, Policy(Permission.MANAGE_USERS)

    @router.post("", openapi_extra=extra(manages), operation_id="add_user", status_code=HTTPStatus.CREATED)
    async def add(body: UserBody, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> UserShown:
        """Add a user."""
        by = By(caller.user, body.why)
        return _shown(await asyncio.to_thread(users.add, body.user, body.role, body.scope, body.password, by))

    @router.put("/{user}/role", openapi_extra=extra(manages), operation_id="set_role")
    async def role(user: Name, body: RoleBody, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> UserShown:
        """Another role and scope, from the next request on."""
        by = By(caller.user, body.why)
        return _shown(await asyncio.to_thread(users.allow, user, body.role, body.scope, by))


def _switches(router: APIRouter, parts: Parts) -> None:
    users, manages = parts.door.users, Policy(Permission.MANAGE_USERS)

    @router.post("/{user}/disable", openapi_extra=extra(manages), operation_id="disable_user")
    async def disable(
        user: Name, body: WhyBody, caller: Annotated[Caller, Depends(guard(parts, manages))]
    ) -> UserShown:
        """Let somebody in no more, and out at once."""
        by = By(caller.user, body.why)
        return _shown(await asyncio.to_thread(lambda: users.switch(user, by, enabled=False)))

    @router.post("/{user}/enable", openapi_extra=extra(manages), operation_id="enable_user")
    async def enable(user: Name, body: WhyBody, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> UserShown:
        """Let somebody in again."""
        by = By(caller.user, body.why)
        return _shown(await asyncio.to_thread(lambda: users.switch(user, by, enabled=True)))

    @router.post("/{user}/unlock", openapi_extra=extra(manages), operation_id="unlock_user", status_code=204)
    async def unlock(user: Name, _: Annotated[Caller, Depends(guard(parts, manages))]) -> Response:
        """Forget that logins failed."""
        await asyncio.to_thread(parts.door.unlock, user)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.delete("/{user}/sessions", openapi_extra=extra(manages), operation_id="end_user_sessions", status_code=204)
    async def end(user: Name, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> Response:
        """End all sessions of a user, at once."""
        await asyncio.to_thread(users.end_sessions, user, By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.delete(
        "/{user}/second-factor", openapi_extra=extra(manages), operation_id="drop_second_factor", status_code=204
    )
    async def drop(user: Name, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> Response:
        """Take a lost second factor away."""
        await asyncio.to_thread(users.set_second_factor, user, "", By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _identities(router: APIRouter, parts: Parts) -> None:
    users, manages = parts.door.users, Policy(Permission.MANAGE_USERS)

    @router.put("/{user}/identity", openapi_extra=extra(manages), operation_id="link_identity", status_code=204)
    async def link(
        user: Name, body: IdentityBody, caller: Annotated[Caller, Depends(guard(parts, manages))]
    ) -> Response:
        """Let a subject of the identity provider come in as this user; every session of the user ends."""
        identity = vouched(parts.config().access.oidc, body.subject)
        await asyncio.to_thread(users.link, user, identity, By(caller.user, body.why))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.delete("/{user}/identity", openapi_extra=extra(manages), operation_id="unlink_identity", status_code=204)
    async def unlink(user: Name, caller: Annotated[Caller, Depends(guard(parts, manages))]) -> Response:
        """Nobody outside comes in as this user any more; every session of the user ends."""
        await asyncio.to_thread(users.link, user, None, By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _keys(router: APIRouter, parts: Parts) -> None:
    users, manages = parts.door.users, Policy(Permission.MANAGE_USERS)

    @router.post("/{user}/keys", openapi_extra=extra(manages), operation_id="make_key", status_code=HTTPStatus.CREATED)
    async def make(
        user: Name, body: KeyBody, caller: Annotated[Caller, Depends(guard(parts, manages))]
    ) -> KeyMadeShown:
        """Make an API key: a part of what its user may."""
        wish = KeyWish(
            label=body.label,
            permissions=frozenset(body.permissions),
            scope=Scope(confined(body.accounts), confined(body.strategies)),
            expires_at_ns=None if body.days is None else parts.clock.now_ns() + body.days * DAY_NS,
        )
        return KeyMadeShown(key=await asyncio.to_thread(users.make_key, user, wish, By(caller.user)))

    @router.delete("/{user}/keys/{key}", openapi_extra=extra(manages), operation_id="revoke_key", status_code=204)
    async def revoke(
        user: Name, key: Annotated[str, Path(max_length=64)], caller: Annotated[Caller, Depends(guard(parts, manages))]
    ) -> Response:
        """A key opens nothing any more, at once."""
        await asyncio.to_thread(users.revoke_key, user, key, By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _shown(user: User) -> UserShown:
    return UserShown(
        user=user.name,
        role=user.role,
        accounts=listed(user.scope.accounts),
        strategies=listed(user.scope.strategies),
        enabled=user.enabled,
        second_factor=user.second_factor,
        added_at=isoformat(user.added_at_ns),
        keys=[key_shown(key) for key in user.keys.values()],
    )
