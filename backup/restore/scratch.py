"""A QuestDB of its own for a restore: on free ports, on a folder of its own, gone with whoever started it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import SystemRandom

from ares.config.settings import DatabaseConfig
from ares.errors import ServerFailed
from ares.store import Database
from ares.store.server import EmbeddedQuestDB, port_is_free
from backup.restic import die_with_parent

STATEMENT_S_MAX = 3_600.0
APPLY_S_MAX = 3_600.0
TRIGGER = "_restore"
"""A file in QuestDB's root: at its next start it goes back to the checkpoint that lies there, and removes the file."""
PORTS = range(20_000, 32_768)
"""Below those that the system lends to whoever connects: such a one could hold ours while its server starts again."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """The running server and a pool on it."""

    config: DatabaseConfig
    database: Database


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now, in no order. Raises `ServerFailed` where so many are not to be had."""
    found: list[int] = []
    for port in SystemRandom().sample(PORTS, len(PORTS)):
        if port_is_free("127.0.0.1", port):
            found.append(port)
        if len(found) == count:
            return found
    raise ServerFailed(f"ports {PORTS.start} to {PORTS.stop - 1}: {count} free ones needed, {len(found)} found")


def on_free_ports(config: DatabaseConfig) -> DatabaseConfig:
    """The same settings for a server of our own beside the real one."""
    http_port, pg_port, health_port = free_ports(3)
    own = {
        "mode": "embedded",
        "host": "127.0.0.1",
        "tls": "off",
        "http_port": http_port,
        "pg_port": pg_port,
        "health_port": health_port,
        "statement_s_max": STATEMENT_S_MAX,
        "replicas": (),
    }
    return config.model_copy(update=own)


@asynccontextmanager
async def scratch(config: DatabaseConfig, state_dir: Path, *, restore: bool) -> AsyncIterator[Scratch]:
    """Start a server on `state_dir`, wait until its WAL is applied, stop it with the block.

    `restore`: first go back to the checkpoint that was copied there. Raises `ServerFailed`, `StoreUnavailable`.
    """
    own = on_free_ports(config)
    server = EmbeddedQuestDB(own, state_dir)
    await asyncio.to_thread(server.prepare)
    if restore:
        (server.root / TRIGGER).touch()
    # From this thread: the kernel tells a child of the death of the thread that forked it.
    running = server.spawn(partial(die_with_parent, os.getpid()))
    try:
        await asyncio.to_thread(server.wait_ready, running)
        async with await Database.connect(own) as database:
            await database.wait_applied(None, APPLY_S_MAX)
            yield Scratch(own, database)
    finally:
        await asyncio.shield(asyncio.to_thread(server.stop))
