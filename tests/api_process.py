"""The API as a process of its own, for what is measured of it and what it must survive."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psutil

from ares.clock import SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.control import ControlStore
from ares.security.access.roles import KEYLESS, Role, Scope, permissions_of
from ares.security.access.users import By, KeyWish
from ares.service import ServiceContext
from ares.service.entrance import door_of
from tests.api import PASSWORD, config_of
from tests.conftest import free_port

READY_S_MAX = 120.0


class DoorProcess(NamedTuple):
    """Where it listens, what it is shown, and itself."""

    address: str
    headers: Mapping[str, str]
    process: psutil.Process


@contextlib.contextmanager
def door(database: DatabaseConfig, state_dir: Path) -> Iterator[DoorProcess]:
    """A running API, and a key of an admin."""
    state_dir.mkdir()
    headers = shown_by_an_admin(config_of(database, state_dir))
    with serving_api(database, state_dir, free_port()) as (address, process):
        yield DoorProcess(address, headers, process)


def shown_by_an_admin(config: AresConfig) -> Mapping[str, str]:
    """A key of an admin who is added, as it is shown."""
    context = ServiceContext(config, SystemClock(), "test")
    control = ControlStore.open(context.control_url)
    users = door_of(context, control).users
    users.add("boss", Role.ADMIN, Scope(), PASSWORD, By("test"))
    key = users.make_key("boss", KeyWish("test", permissions_of(Role.ADMIN) - KEYLESS), By("test"))
    control.close()
    return {"Authorization": f"Bearer {key}"}


@contextlib.contextmanager
def serving_api(database: DatabaseConfig, state_dir: Path, port: int) -> Iterator[tuple[str, psutil.Process]]:
    """The service `api` as a process, whose users ask as often as they like."""
    settings = {
        "ENVIRONMENT__STATE_DIR": state_dir,
        "DATABASE__HTTP_PORT": database.http_port,
        "DATABASE__PG_PORT": database.pg_port,
        "DATABASE__HEALTH_PORT": database.health_port,
        "API__PORT": port,
        "API__REQUESTS_PER_MINUTE": 10**8,
        "API__REQUESTS_PER_MINUTE_ADDRESS": 10**8,
    }
    variables = {f"ARES_{name}": str(value) for name, value in settings.items()}
    command = ["-m", "ares.cli", "service", "run", "api", "--port", "0"]
    with started(command, f"http://127.0.0.1:{port}", variables) as there:
        yield there


@contextlib.contextmanager
def started(arguments: list[str], address: str, variables: Mapping[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    """A Python process that listens there; stopped with the block."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(_answers(address, process))
        yield address, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(READY_S_MAX)


async def _answers(address: str, process: subprocess.Popen[bytes]) -> None:
    """Return once somebody answers there."""
    async with asyncio.timeout(READY_S_MAX), aiohttp.ClientSession() as http:
        while True:
            assert process.poll() is None, f"it ended with {process.returncode} before anybody answered at {address}"
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with http.get(f"{address}/"):
                    return
            await asyncio.sleep(0.1)
