"""A real QuestDB of a test's own, on free ports, empty or with the whole schema."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from analytics.features.scratch import schema_files
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.migrate import migrate
from ares.store.server import EmbeddedQuestDB
from backup.restore.scratch import free_ports
from tests.engine import ContainedQuestDB, contained


def small(heap_mb: int = 512, **changes: object) -> DatabaseConfig:
    """Settings of a server that acknowledges before the disk has it."""
    http, pg, health = free_ports(3)
    given = {"http_port": http, "pg_port": pg, "health_port": health, "heap_mb": heap_mb, "commit_mode": "nosync"}
    return DatabaseConfig.model_validate({**given, **changes})


@contextmanager
def serving(config: DatabaseConfig, folder: Path, *, schema: bool = False) -> Iterator[EmbeddedQuestDB]:
    """It runs, and is stopped with the block; empty, or with the whole `schema`, unless something lies there."""
    server = (ContainedQuestDB if contained() else EmbeddedQuestDB)(config, folder)
    if schema:
        put_schema(server)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def put_schema(server: EmbeddedQuestDB) -> None:
    """Lay the whole schema where a server is about to start for the first time."""
    shutil.copytree(whole_schema(), server.root)


@cache
def whole_schema() -> Path:
    """The files of a server that was brought to the schema: made once in a run, for that takes ten seconds.

    Several runs share those in the folder ARES_TEST_SCHEMA.
    """
    if kept := os.environ.get("ARES_TEST_SCHEMA"):
        folder = Path(kept)
    else:
        folder = Path(tempfile.mkdtemp(prefix="ares-schema-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    # A thread of its own: who asks may be a coroutine.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, schema_files(small(), SystemClock(), folder)).result()


async def migrated(config: DatabaseConfig) -> None:
    """Bring a running server to the whole schema."""
    writer = RowWriter(config)
    async with await Database.connect(config) as database:
        await migrate(database, writer, SystemClock())
    await writer.close()
