"""A door that is open, on a real QuestDB, with a user of every role; and how tests ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pyotp

from api.policy import MARK
from api.service import ApiService
from api.versions import EDITIONS, Edition
from ares.clock import NANOS_PER_SECOND, Clock, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.control import ControlStore, Json
from ares.security.access.door import Door, Origin
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.users import By
from ares.service import ServiceContext
from ares.service.entrance import door_of
from tests.helpers import running

PASSWORD = "correct horse battery"
ACCOUNT, STRATEGY = "spot-1", "signal_momentum"
SCOPED = {
    "account": Scope(accounts=frozenset({ACCOUNT})),
    "strategy": Scope(strategies=frozenset({STRATEGY})),
    "nothing": Scope(frozenset(), frozenset()),
}


@dataclass(slots=True)
class Asked:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    json: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class OpenDoor:
    """Where it listens, and its users."""

    address: str
    door: Door
    context: ServiceContext
    http: aiohttp.ClientSession
    tokens: dict[str, str] = field(default_factory=dict)

    def add(self, user: str) -> None:
        """A user whom tests know, if it is not there: named like a role, or a trader who is confined."""
        if not self.door.users.find(user).seq:
            scope = SCOPED.get(user.removeprefix("of-"), Scope())
            role = Role.TRADER if user.startswith("of-") else Role(user)
            self.door.users.add(user, role, scope, PASSWORD, By("test"))

    def token(self, user: str) -> str:
        """An access token of a user, who is added and logged in once: hashes of passwords take long."""
        if user not in self.tokens:
            self.add(user)
            self.tokens[user] = self.door.login(user, PASSWORD, "", Origin("127.0.0.1", "test")).access
        return self.tokens[user]

    async def ask(
        self,
        path: str,
        user: str = "",
        *,
        method: str = "GET",
        body: object = None,
        headers: Mapping[str, str] | None = None,
        version: int = 1,
        **query: str | int,
    ) -> Asked:
        """Ask as a user (empty: as a stranger)."""
        known = {"Authorization": f"Bearer {self.token(user)}"} if user else {}
        url = f"{self.address}/api/v{version}{path}"
        async with self.http.request(
            method, url, params=query, json=body, headers={**known, **(headers or {})}, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            said = cast("Json", await answer.json(content_type=None)) if raw and "json" in answer.content_type else {}
            return Asked(answer.status, answer.headers, raw, said if isinstance(said, dict) else {"": said})


class Operation(NamedTuple):
    """A route as OpenAPI has it; `path` lies under the version, `mark` is its policy."""

    name: str
    method: str
    path: str
    mark: str

    @property
    def permission(self) -> Permission | None:
        return None if self.mark in {"public", "self"} else Permission(self.mark)


async def operations(door: OpenDoor) -> list[Operation]:
    """Every route."""
    paths = (await door.ask("/openapi.json")).json["paths"]
    assert isinstance(paths, dict)
    return [
        Operation(str(each["operationId"]), method.upper(), path.removeprefix("/api/v1"), str(each[MARK]))
        for path, methods in cast("dict[str, dict[str, dict[str, Json]]]", paths).items()
        for method, each in methods.items()
    ]


def with_second_factor(door: OpenDoor, user: str) -> None:
    """From now on the user's token is of a session in which a second factor was shown just now."""
    door.add(user)
    uri = door.door.begin_second_factor(user)
    factor = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
    now_s = door.context.clock.now_ns() // NANOS_PER_SECOND
    door.door.confirm_second_factor(user, uri, factor.at(now_s), By(user))
    door.tokens[user] = door.door.login(user, PASSWORD, factor.at(now_s + 30), Origin("127.0.0.1", "test")).access


def config_of(database: DatabaseConfig, state_dir: Path, **api: object) -> AresConfig:
    """Settings of an installation of its own on a shared database."""
    return AresConfig.model_validate(
        {
            "environment": {"state_dir": state_dir},
            "database": database,
            "api": {
                "port": 0,
                "console": False,
                "requests_per_minute": 100_000,
                "requests_per_minute_address": 100_000,
                **api,
            },
            "trading": {"account": ACCOUNT, "venue": "sim"},
        }
    )


@asynccontextmanager
async def open_door(
    config: AresConfig, clock: Clock | None = None, editions: Sequence[Edition] = EDITIONS
) -> AsyncIterator[OpenDoor]:
    """A running API; its users are there once they are asked for (`OpenDoor.add`)."""
    context = ServiceContext(config, clock or SystemClock(), "api-test")
    context.state_dir.mkdir(parents=True, exist_ok=True)
    control = ControlStore.open(context.control_url)
    door = door_of(context, control)
    service = ApiService(context, editions)
    try:
        async with running(service), aiohttp.ClientSession() as http:
            yield OpenDoor(f"http://127.0.0.1:{service.port}", door, context, http)
    finally:
        control.close()
