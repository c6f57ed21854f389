"""Errands as tests ask for them, and a service that carries them out."""

from __future__ import annotations

import asyncio

from ares.clock import SystemClock
from ares.config.settings import AresConfig
from ares.control import Json
from ares.service import ServiceContext
from ares.service.errands.service import ErrandService
from tests.api import Asked, OpenDoor

ENDED_S_MAX = 60.0


async def asked(door: OpenDoor, path: str, user: str, body: object, **headers: str) -> dict[str, Json]:
    """Ask for an errand; as it is kept."""
    said = await door.ask(path, user, method="POST", body=body, headers=headers)
    assert said.status == 202, said.json
    assert said.headers["Location"] == f"/api/v1/errands/{said.json['id']}"
    return said.json


async def until(door: OpenDoor, errand: Json, user: str, *states: str) -> dict[str, Json]:
    """Wait until an errand has come to one of these states."""
    async with asyncio.timeout(ENDED_S_MAX):
        while True:
            said: Asked = await door.ask(f"/errands/{errand}", user)
            assert said.status == 200, said.json
            if said.json["state"] in states:
                return said.json
            await asyncio.sleep(0.1)


def runner(config: AresConfig) -> ErrandService:
    """The service, in this process."""
    return ErrandService(ServiceContext(config, SystemClock(), "errands-test"))
