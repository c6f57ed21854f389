"""Goal: a demo of a given length ends by itself; one without goes on until it is told to end."""

from __future__ import annotations

import asyncio

import pytest

from ares.commands.demo import Demo
from ares.commands.demo_view import Snapshot
from ares.config import AresConfig
from ares.store import Database


async def test_demo_ends_after_its_duration_and_shows_itself_until_then(database: Database) -> None:
    drawn: list[float] = []
    demo = Demo(AresConfig(), 0.5)

    def draw(_: Snapshot, seconds: float) -> None:
        drawn.append(seconds)

    async with asyncio.timeout(10):
        await demo._loop(database, asyncio.Event(), demo._clock.monotonic_s(), draw)
    assert drawn
    assert max(drawn) < 5


async def test_demo_without_a_duration_ends_when_it_is_told(database: Database) -> None:
    demo, stopping = Demo(AresConfig(), None), asyncio.Event()
    work = asyncio.create_task(demo._loop(database, stopping, demo._clock.monotonic_s(), lambda _, __: None))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(work), 0.7)
    stopping.set()
    await asyncio.wait_for(work, 5)
