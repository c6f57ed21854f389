"""A real QuestDB of a test's own, on free ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ares.config.settings import DatabaseConfig
from ares.store.server import EmbeddedQuestDB
from backup.restore.scratch import free_ports


def small(heap_mb: int = 512, **changes: object) -> DatabaseConfig:
    """Settings of a server that acknowledges before the disk has it."""
    http, pg, health = free_ports(3)
    given = {"http_port": http, "pg_port": pg, "health_port": health, "heap_mb": heap_mb, "commit_mode": "nosync"}
    return DatabaseConfig.model_validate({**given, **changes})


@contextmanager
def serving(config: DatabaseConfig, folder: Path) -> Iterator[EmbeddedQuestDB]:
    """It runs, empty unless something lies there, and is stopped with the block."""
    server = EmbeddedQuestDB(config, folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
