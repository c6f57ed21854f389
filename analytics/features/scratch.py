"""A QuestDB of a proof's own: on free ports, in a folder that goes with it, with the whole schema and nothing in it."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom

from ares.clock import Clock
from ares.config.settings import DatabaseConfig
from ares.errors import ServerFailed
from ares.store import Database, RowWriter
from ares.store.migrate import Statement, migrate
from ares.store.server import EmbeddedQuestDB, port_is_free

PORTS = range(20_000, 32_768)
"""Below those that the system lends to whoever connects."""
HEAP_MB = 768
STATEMENT_S_MAX = 120.0


@dataclass(frozen=True, slots=True)
class Scratch:
    """The running server: a pool on it, and a writer."""

    config: DatabaseConfig
    database: Database
    writer: RowWriter


@asynccontextmanager
async def scratch(config: DatabaseConfig, clock: Clock, own: Sequence[Statement] = ()) -> AsyncIterator[Scratch]:
    """Start a server, bring the schema and users' own views, stop it with the block; nothing of it stays.

    Raises `ServerFailed`, `StoreUnavailable`.
    """
    settings = on_free_ports(config)
    with tempfile.TemporaryDirectory(prefix="ares-proof-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedQuestDB(settings, Path(folder))
        writer = RowWriter(settings)
        try:
            await asyncio.to_thread(server.start)
            async with await Database.connect(settings) as database:
                await migrate(database, writer, clock, own=own)
                yield Scratch(settings, database, writer)
        finally:
            await writer.close()
            await asyncio.shield(asyncio.to_thread(server.stop))


def on_free_ports(config: DatabaseConfig) -> DatabaseConfig:
    """The same settings for a server of our own that keeps nothing."""
    http_port, pg_port, health_port = free_ports(3)
    own = {
        "mode": "embedded",
        "host": "127.0.0.1",
        "tls": "off",
        "http_port": http_port,
        "pg_port": pg_port,
        "health_port": health_port,
        "heap_mb": HEAP_MB,
        "commit_mode": "nosync",
        "statement_s_max": STATEMENT_S_MAX,
        "replicas": (),
    }
    return config.model_copy(update=own)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now. Raises `ServerFailed` where so many are not to be had."""
    found: list[int] = []
    for port in SystemRandom().sample(PORTS, len(PORTS)):
        if port_is_free("127.0.0.1", port):
            found.append(port)
        if len(found) == count:
            return found
    raise ServerFailed(f"ports {PORTS.start} to {PORTS.stop - 1}: {count} free ones needed, {len(found)} found")
