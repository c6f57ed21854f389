"""Errands as tests ask for them, and what carries them out; as a program, a runner that can be killed."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

from ares.clock import SystemClock
from ares.config import load_config
from ares.config.settings import AresConfig
from ares.control import ControlStore, Json
from ares.security.access.roles import Permission
from ares.service import ServiceContext
from ares.service.errands.registry import errand
from ares.service.errands.runner import ErrandRunner, Specs
from ares.service.errands.spec import Arguments, ErrandSpec, Place
from tests.api import OpenDoor
from tests.helpers import ROOT

ENDED_S_MAX = 240.0


class Endless(Arguments):
    """A real process that ends when it is told to, a service, in place of a job."""

    job: str

    def command(self, place: Place) -> Sequence[str]:
        return "service", "run", "mirror"


ENDLESS = ErrandSpec("endless", "For ever.", Permission.RUN_JOBS, "/endless", Endless, limit_s=600.0)


def endless(_: str) -> ErrandSpec:
    """Whatever is asked for."""
    return ENDLESS


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
            said = await door.ask(f"/errands/{errand}", user)
            assert said.status == 200, said.json
            if said.json["state"] in states:
                return said.json
            await asyncio.sleep(0.1)


@asynccontextmanager
async def carrying_out(context: ServiceContext, control: ControlStore, specs: Specs = errand) -> AsyncIterator[None]:
    """A runner in this process."""
    work = asyncio.create_task(ErrandRunner(context, control, specs).run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


@contextmanager
def runner_process(config: AresConfig) -> Iterator[subprocess.Popen[bytes]]:
    """A runner of endless errands that can be killed."""
    variables = {
        "ARES_ENVIRONMENT__STATE_DIR": str(config.environment.state_dir),
        "ARES_ERRANDS__HELD_S": "3",
        "ARES_ERRANDS__STOP_S_MAX": "1",
    }
    process = subprocess.Popen([sys.executable, "-m", "tests.errands"], cwd=ROOT, env={**os.environ, **variables})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def main() -> None:
    context = ServiceContext(load_config(), SystemClock(), f"runner-{os.getpid()}")
    control = ControlStore.open(context.control_url)
    asyncio.run(ErrandRunner(context, control, endless).run())


if __name__ == "__main__":
    main()
