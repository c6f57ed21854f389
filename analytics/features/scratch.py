"""A QuestDB of a proof's own: on free ports, in a folder that goes with it, with the whole schema and nothing in it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
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
from ares.store.migrate import Statement, deploy_own, migrate, table_statements, view_statements
from ares.store.server import EmbeddedQuestDB, port_is_free

PORTS = range(20_000, 32_768)
"""Below those that the system lends to whoever connects."""
HEAP_MB = 768
STATEMENT_S_MAX = 120.0
FOLDER = "proofs"
"""Of the state directory: where the schema's files are kept."""
SCHEMA = "schema-"


@dataclass(frozen=True, slots=True)
class Scratch:
    """The running server: a pool on it, and a writer."""

    config: DatabaseConfig
    database: Database
    writer: RowWriter


@asynccontextmanager
async def scratch(
    config: DatabaseConfig, clock: Clock, kept: Path, own: Sequence[Statement] = ()
) -> AsyncIterator[Scratch]:
    """Start a server with the schema and users' own views, stop it with the block; nothing of it stays.

    The schema's files are kept in the folder `kept`. Raises `ServerFailed`, `StoreUnavailable`.
    """
    files = await schema_files(config, clock, kept)
    with tempfile.TemporaryDirectory(prefix="ares-proof-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedQuestDB(on_free_ports(config), Path(folder))
        await asyncio.to_thread(shutil.copytree, files, server.root)
        async with _running(server) as there:
            await deploy_own(there.database, there.writer, own, clock)
            yield there


@asynccontextmanager
async def _running(server: EmbeddedQuestDB) -> AsyncIterator[Scratch]:
    """Start a server, stop it with the block."""
    writer = RowWriter(server.config)
    try:
        await asyncio.to_thread(server.start)
        async with await Database.connect(server.config) as database:
            yield Scratch(server.config, database, writer)
    finally:
        await writer.close()
        await asyncio.shield(asyncio.to_thread(server.stop))


async def schema_files(config: DatabaseConfig, clock: Clock, kept: Path) -> Path:
    """The files of a server with this release's schema and no rows of a market: in `kept`, made where they are not.

    To make a hundred views takes longer than all of a proof. Raises `ServerFailed`, `StoreUnavailable`.
    """
    there = kept / schema_name(config)
    if there.is_dir():
        return there
    await asyncio.to_thread(kept.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=kept, ignore_cleanup_errors=True) as folder:
        server = EmbeddedQuestDB(on_free_ports(config), Path(folder))
        async with _running(server) as made:
            await migrate(made.database, made.writer, clock)
            await made.database.wait_applied(None)
        await asyncio.to_thread(_keep, server.root, there)
    return there


def _keep(root: Path, there: Path) -> None:
    """Put files where others find them whole, instead of those of older releases."""
    for older in there.parent.glob(f"{SCHEMA}*"):
        if older != there:
            shutil.rmtree(older, ignore_errors=True)
    if not there.is_dir():  # another proof may have made them meanwhile
        root.rename(there)


def schema_name(config: DatabaseConfig) -> str:
    """The same for the same statements and version of QuestDB."""
    said = [config.questdb_version, *(each.sql for each in (*table_statements(), *view_statements()))]
    return SCHEMA + hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


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
