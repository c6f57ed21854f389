"""Who asks: every route but the public ones goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.parts import Parts
from api.policy import Policy
from api.rates import RATE
from ares.errors import AccessDenied
from ares.security.access.door import Caller, Origin

BEARER = HTTPBearer(auto_error=False, description="an access token of `POST /auth/login`, or an API key")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)]
Guard = Callable[[Request, Credentials], Awaitable[Caller]]


def guard(parts: Parts, policy: Policy, cost: float = 1.0) -> Guard:
    """The dependency of a route: who asks, once they may. Raises `AccessDenied`."""

    async def caller_of(request: Request, credentials: Credentials) -> Caller:
        caller = await known(parts, credentials)
        spent = parts.rates.spend(caller.user, cost)
        setattr(request.state, RATE, spent)
        if not spent.passes:
            raise AccessDenied("too_many_requests", f"{spent.limit} requests a minute", retry_after_s=spent.wait_s)
        if policy.own and not caller.session:
            raise AccessDenied("forbidden", "an API key cannot")
        if policy.permission is not None:
            caller.require(policy.permission)
            parts.door.require_fresh(caller, policy.permission)
        return caller

    return caller_of


async def known(parts: Parts, credentials: HTTPAuthorizationCredentials | None) -> Caller:
    """Raises `AccessDenied`."""
    if credentials is None:
        raise AccessDenied("credentials_missing")
    return await asyncio.to_thread(parts.door.caller, credentials.credentials)


def origin(request: Request) -> Origin:
    """Where a request comes from. A proxy is believed only where the server was told to."""
    return Origin(request.client.host if request.client else "", request.headers.get("User-Agent", ""))
