"""The ten main endpoints of the API beside a bare FastAPI that answers with the same bytes, in turns, in one run.

Each server is a process of its own; eight connections ask without a pause for a second. Requests a second, and the
99th percentile of their times. What is between the two is what an answer costs: who asks, what they may, the database.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import aiohttp

sys.path.insert(0, str(Path(__file__).parents[1]))

from contest import in_turns, ratio

from ares.config.settings import DatabaseConfig
from ares.store import RowWriter
from tests.api_process import door, started
from tests.boards_rows import seeds
from tests.conftest import free_port
from tests.questdb import serving, small

ENDPOINTS = ("auth/me", "instruments", "trades", "bars", "signals", "orders", "fills", "positions", "pnl", "services")
CONNECTIONS = 8
MEASURED_S = 1.0


class Served(NamedTuple):
    """What a round saw: requests a second, the 99th percentile of their times (s), and answers that were no 200."""

    rate: float
    p99_s: float
    wrong: int


class Ends(NamedTuple):
    """Where the two listen, and what the API is shown."""

    ours: str
    floor: str
    headers: Mapping[str, str]


def results(rounds: int) -> list[dict[str, object]]:
    """Two figures an endpoint."""
    with tempfile.TemporaryDirectory() as folder, arena(Path(folder)) as ends:
        return [figure for name in ENDPOINTS for figure in told(name, ends, rounds)]


def told(name: str, ends: Ends, rounds: int) -> Iterator[dict[str, object]]:
    found = in_turns(
        {
            "ares": partial(asked, f"{ends.ours}/api/v1/{name}", ends.headers),
            "floor": partial(asked, f"{ends.floor}/{name.replace('/', '-')}", {}),
        },
        rounds,
    )
    ours, floor = found["ares"], found["floor"]
    for unit, figures, digits in (
        ("requests/s", ([each.rate for each in ours], [each.rate for each in floor]), 1),
        ("ms p99", ([each.p99_s * 1e3 for each in ours], [each.p99_s * 1e3 for each in floor]), 2),
    ):
        mine, theirs = figures
        yield {
            "name": f"door /{name}",
            "unit": unit,
            "ares": round(median(mine), digits),
            "peer": round(median(theirs), digits),
            "peer_name": "bare FastAPI",
            "limit": round(median(theirs), digits),
            "limit_name": "bare FastAPI",
            "ratio_vs_peer": ratio(mine, theirs),
            "ratio_vs_limit": ratio(mine, theirs),
            "lost": sum(each.wrong for each in ours),
            "n": rounds,
            "versions": {package: metadata.version(package) for package in ("fastapi", "uvicorn", "starlette")},
        }


@contextlib.contextmanager
def arena(folder: Path) -> Iterator[Ends]:
    """A QuestDB with rows of everything, the API over it, and the floor with the pages that the API gave."""
    config = small()
    with serving(config, folder / "questdb", schema=True), contextlib.ExitStack() as stack:
        asyncio.run(seeded(config))
        there = stack.enter_context(door(config, folder / "state"))
        ours, headers = there.address, there.headers
        pages = folder / "pages"
        pages.mkdir()
        asyncio.run(copied(ours, headers, pages))
        floor = stack.enter_context(listening([str(Path(__file__).with_name("door_floor.py")), str(pages)]))
        yield Ends(ours, floor, headers)


async def seeded(config: DatabaseConfig) -> None:
    writer = RowWriter(config)
    await writer.write(list(seeds(datetime.now(UTC))))
    await writer.close()


@contextlib.contextmanager
def listening(arguments: list[str]) -> Iterator[str]:
    port = free_port()
    with started([*arguments, str(port)], f"http://127.0.0.1:{port}", {}) as (address, _):
        yield address


async def copied(address: str, headers: Mapping[str, str], folder: Path) -> None:
    """What the API answers, for the floor to answer with."""
    async with aiohttp.ClientSession(headers=headers) as http:
        for name in ENDPOINTS:
            async with http.get(f"{address}/api/v1/{name}") as answer:
                assert answer.status == 200, f"{name}: {await answer.text()}"
                (folder / name.replace("/", "-")).write_bytes(await answer.read())


def asked(url: str, headers: Mapping[str, str]) -> Served:
    """A round: all connections ask again and again."""
    return asyncio.run(_asked(url, headers))


async def _asked(url: str, headers: Mapping[str, str]) -> Served:
    times: list[float] = []
    wrong = 0
    began_s = time.perf_counter()

    async def ask(http: aiohttp.ClientSession) -> None:
        nonlocal wrong
        while (sent_s := time.perf_counter()) - began_s < MEASURED_S:
            async with http.get(url) as answer:
                await answer.read()
            times.append(time.perf_counter() - sent_s)
            wrong += answer.status != 200

    async with aiohttp.ClientSession(headers=headers) as http:
        await asyncio.gather(*(ask(http) for _ in range(CONNECTIONS)))
    return Served(len(times) / (time.perf_counter() - began_s), quantiles(times, n=100)[98], wrong)
