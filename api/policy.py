"""Which route wants what of its caller; a route that does not say so is not served."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from ares.security.access.roles import Permission

MARK = "x-ares-policy"
WEBSOCKETS = re.compile(r"/api/v\d+/stream")
"""They ask for credentials themselves, and for a channel's permission with each subscription."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a caller must be allowed. No permission: anybody who is logged in, or, if `public`, anybody.

    `own`: only a person with a session, about themselves: no key.
    """

    permission: Permission | None = None
    public: bool = False
    own: bool = False

    @property
    def text(self) -> str:
        """As the route table and OpenAPI show it."""
        if self.public:
            return "public"
        return "self" if self.permission is None else self.permission.value


PUBLIC = Policy(public=True)
SELF = Policy(own=True)
ANYBODY = Policy()


def extra(policy: Policy) -> dict[str, str]:
    """What a route carries (`openapi_extra`)."""
    return {MARK: policy.text}


def policies(app: FastAPI) -> Iterator[tuple[APIRoute, str]]:
    """Every route of the API and its policy. Asserts that each has one."""
    for each in iter_route_contexts(app.routes):
        route = each.route
        if isinstance(route, APIRoute):
            mark = (route.openapi_extra or {}).get(MARK)
            assert isinstance(mark, str), f"{route.methods} {route.path} has no policy"
            yield route, mark
        elif isinstance(route, APIWebSocketRoute):
            assert WEBSOCKETS.fullmatch(each.path or ""), f"websocket {each.path} has no policy"
