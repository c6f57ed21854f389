"""Goal: a full disk, the store's or the spool's, is said, crashes nothing, and costs no trade once it has room.

The store's is `make full-disk`'s: it takes a market that goes on for longer than the slowest start of a database.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import pytest

from ares.service.beside import beside
from tests.stage import RATE, Stage, staged

DATABASE_MB = 5_120
"""A QuestDB with Ares' tables takes two of these GB: it reserves the pages of every column."""
SPOOL_MB = 1
TRADING_S = 40.0
SAID_S_MAX = 90.0
BROKEN = 'ares_database_broken{kind="suspended"}'
INVALID = "SELECT count() AS n FROM materialized_views() WHERE view_status = 'invalid'"
SUSPENDED = "SELECT count() AS n FROM wal_tables() WHERE suspended"


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[None]:
    """A file system of its own at a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("mounting is not allowed here; run as root")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path, number: int) -> None:
    """Take what room is left, if any is."""
    free = shutil.disk_usage(folder).free
    with suppress(OSError), (folder / f"filler-{number}").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, free - 2**24))
        file.seek(0, os.SEEK_END)
        for _ in range(2**24 // 2**16):
            file.write(b"\0" * 2**16)


def make_room(folder: Path) -> None:
    for file in folder.glob("filler-*"):
        file.unlink()


async def until(condition: Callable[[], object], what: Callable[[], str]) -> None:
    limit = time.monotonic() + SAID_S_MAX
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < limit, what()
        await asyncio.sleep(0.2)


@asynccontextmanager
async def filled(folder: Path) -> AsyncIterator[None]:
    """No room on a disk, whatever is given back meanwhile; then there is."""

    async def keep_full() -> None:
        number = 0
        while True:
            await asyncio.to_thread(fill, folder, number := number + 1)
            await asyncio.sleep(0.1)

    try:
        async with beside(keep_full(), "keep_full"):
            yield
    finally:
        make_room(folder)


@pytest.fixture
def stage(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """A folder of the stage is a small disk of its own."""
    name, size_mb = request.param
    with small_disk(tmp_path / name, size_mb), staged(tmp_path) as there:
        yield there


async def whole_and_right(stage: Stage) -> None:
    await asyncio.sleep(max(0.0, stage.left_s()))
    for row in await stage.whole():
        assert (row["last"], row["wrong"]) == (stage.last, 0)
        assert row["stored"] == row["ids"], "a trade is there twice"


@pytest.mark.skipif("ARES_TEST_FULL_DISK" not in os.environ, reason="make full-disk runs it")
@pytest.mark.parametrize("stage", [("questdb", DATABASE_MB)], indirect=True)
async def test_a_database_without_room_is_said_and_all_is_there_once_it_has_some(stage: Stage) -> None:
    stage.open_market(TRADING_S)
    await stage.collect_first(RATE)
    mirror = stage.serve("mirror", "mirror")
    try:
        await until(lambda: "service_started" in stage.words("mirror"), lambda: stage.words("mirror"))
        async with filled(stage.folder / "questdb"):
            await until(lambda: "errno: 28" in stage.words(), stage.words)
            await until(lambda: f"{BROKEN} 0.0" not in stage.asked_at("mirror", "/metrics"), stage.words)
            await until(lambda: "the store takes no rows" in stage.asked_at("collector", "/readyz"), stage.words)
            await until(lambda: "trades: " in stage.asked_at("mirror", "/readyz"), stage.words)
        await whole_and_right(stage)
        assert stage.collector is not None
        assert (stage.collector.poll(), mirror.poll()) == (None, None)
        limit = time.monotonic() + SAID_S_MAX
        while await stage.number(SUSPENDED) + await stage.number(INVALID):
            assert time.monotonic() < limit, stage.words("mirror")
            await asyncio.sleep(0.5)
    finally:
        mirror.kill()
        mirror.wait()


@pytest.mark.parametrize("stage", [("spool", SPOOL_MB)], indirect=True)
async def test_a_spool_without_room_is_said_and_what_it_did_not_take_is_fetched_later(stage: Stage) -> None:
    stage.open_market(TRADING_S)
    await stage.collect_first(RATE)
    stage.kill_store()
    await until(lambda: "ares_ingest_spool_full 1.0" in stage.asked_at("collector", "/metrics"), stage.words)
    assert "takes nothing more" in stage.asked_at("collector", "/readyz")
    await asyncio.sleep(3)
    await asyncio.to_thread(stage.server.start)
    await whole_and_right(stage)
    assert stage.collector is not None
    assert stage.collector.poll() is None
    await until(lambda: "ares_ingest_spool_full 0.0" in stage.asked_at("collector", "/metrics"), stage.words)
