"""A page that somebody looks at: who they are, checked ever again, and what they may read."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from functools import cache

from pydantic import ValidationError

from api.console.formats import Precision
from api.console.house import House
from api.console.tables import Reader
from api.formats import Page as Found
from api.listing import Asked, filters_of, page_of
from api.resources import RESOURCES
from ares.errors import AccessDenied, UsageError
from ares.security.access.door import Caller, Origin
from ares.security.access.roles import Permission
from ares.store import Record

ROOT = "/console"
ROWS_MAX = 10_000
_BY_PATH = {resource.path: resource for resource in RESOURCES}


@cache
def _filters(path: str) -> type[Asked]:
    return filters_of(_BY_PATH[path], ROWS_MAX)


@dataclass(slots=True)
class View:
    """One open page. `known`: who looked when they were last asked for."""

    house: House
    cookie: str
    origin: Origin
    zone: tzinfo
    dark: bool
    known: Caller
    precision: Precision
    query: dict[str, str]

    async def caller(self, permission: Permission | None = None) -> Caller:
        """Who looks, now. Raises `AccessDenied` once their session ended, or if they may not do this."""
        self.known = await asyncio.to_thread(caller_of, self.house, self.cookie)
        if permission is not None:
            self.known.require(permission)
        return self.known

    def may(self, permission: Permission | None) -> bool:
        """Whether what needs this is shown; None: what anybody may. What happens is asked of `caller`, each time."""
        return permission is None or permission in self.known.permissions

    async def rows(self, path: str, limit: int = 100, **filters: str | None) -> Sequence[Record]:
        """Rows of a collection, as the API gives them to who looks. Raises `UsageError`, `StoreError`."""
        return (await self.page(path, limit, **filters)).rows

    async def page(self, path: str, limit: int = 100, **filters: str | None) -> Found:
        """A page of a collection, with the cursor of the next one. `since`, `until`: moments, as texts.

        Raises `UsageError` for a filter that is no word, too.
        """
        resource = _BY_PATH[path]
        caller = await self.caller(resource.permission)
        try:
            asked = _filters(path)(limit=limit, **filters)
        except ValidationError as error:
            name = str(error.errors(include_url=False)[0]["loc"][0])
            raise UsageError(
                f"{name} = {filters.get(name)!r}: is not to be looked for. Take it out of the address"
            ) from None
        return await page_of(self.house.parts, resource, asked, caller)

    @property
    def reader(self) -> Reader:
        """For whom tables are written."""
        return Reader(self.zone, self.precision, self.house.parts.clock.now_ns(), ROOT)

    def step_up(self, code: str) -> None:
        """Show a code of the second factor: dangerous things can be done for a few minutes. Blocks; `AccessDenied`."""
        door = self.house.parts.door
        token = door.step_up(self.known, code, self.origin)
        self.house.stepped_up[self.known.session] = door.caller(token).second_factor_at_s


def caller_of(house: House, cookie: str) -> Caller:
    """Whom a browser's cookie stands for. Raises `AccessDenied`."""
    if not cookie:
        raise AccessDenied("credentials_missing")
    caller = house.parts.door.browser(cookie)
    shown_s = max(caller.second_factor_at_s, house.stepped_up.get(caller.session, 0))
    return replace(caller, second_factor_at_s=shown_s)
