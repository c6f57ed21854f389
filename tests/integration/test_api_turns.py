"""Goal: whoever reads what takes long reads it, and keeps neither the stream nor anybody else waiting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from api.resources import RESOURCES
from api.versions import Edition, Version
from ares.config.api import ApiConfig
from ares.config.settings import DatabaseConfig
from ares.store import Database
from tests.api import Asked, OpenDoor, config_of, open_door
from tests.integration.test_api_stream import reading

ENDLESS = "SELECT count() AS endless FROM long_sequence(9000000) a CROSS JOIN long_sequence(9000000) b WHERE a.x = -b.x"
RUNNING = "SELECT query FROM query_activity() WHERE query LIKE '%AS endless FROM%' AND query NOT LIKE '%_activity%'"
CONFIG = ApiConfig()
ASKED_AT_ONCE = 6


@asynccontextmanager
async def busy(door: OpenDoor, database: Database, user: str) -> AsyncIterator[list[asyncio.Task[Asked]]]:
    """A user who asks for what does not end, again and again; some of it is being read by now."""
    door.token(user)
    asked = [asyncio.create_task(door.ask("/instruments", user)) for _ in range(ASKED_AT_ONCE)]
    async with asyncio.timeout(20):
        while len(await database.fetch(RUNNING)) < CONFIG.reads_at_once_max // 2:
            await asyncio.sleep(0.05)
    yield asked
    for each in asked:
        each.cancel()


@asynccontextmanager
async def slow_door(database: DatabaseConfig, state_dir: Path, request_s_max: float) -> AsyncIterator[OpenDoor]:
    """One with a collection that takes longer than a request may."""
    config = config_of(database, state_dir, request_s_max=request_s_max)
    config = config.model_copy(update={"environment": config.environment.model_copy(update={"stop_s_max": 1.0})})
    endless = [replace(each, statements={"": ENDLESS}) if each.path == "instruments" else each for each in RESOURCES]
    async with open_door(config, editions=[Edition(Version(1), endless)]) as door:
        yield door


async def test_what_takes_long_keeps_neither_the_stream_nor_other_users_waiting(
    questdb_config: DatabaseConfig, database: Database, tmp_path: Path, venue: str
) -> None:
    async with slow_door(questdb_config, tmp_path, 60.0) as door:
        door.token("trader")
        async with busy(door, database, "viewer") as asked:
            assert (await door.ask("/fills", "trader")).status == 200
            assert (await door.ask("/orders/nothing/explanation", "trader")).status == 404
            async with reading(door, "viewer") as reader:
                await reader.say(op="subscribe", id="t", channel="trades", filters={"venue": venue})
                assert (await reader.next("snapshot"))["rows"] == []
            assert len(await database.fetch(RUNNING)) == CONFIG.reads_at_once_max // 2
            assert not any(each.done() for each in asked)


async def test_what_was_not_read_in_time_is_to_be_asked_for_later_and_its_turn_is_given_back(
    questdb_config: DatabaseConfig, database: Database, tmp_path: Path
) -> None:
    async with slow_door(questdb_config, tmp_path, 5.0) as door:
        door.token("viewer")
        for said in await asyncio.gather(*(door.ask("/instruments", "viewer") for _ in range(ASKED_AT_ONCE))):
            assert (said.status, said.json["code"], said.headers["Retry-After"]) == (503, "too_slow", "1")
        async with asyncio.timeout(20):
            while await database.fetch(RUNNING):
                await asyncio.sleep(0.05)
        assert (await door.ask("/fills", "viewer")).status == 200
