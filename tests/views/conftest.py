"""One writer for all examples: a client that reconnects for every test is what QuestDB's own client warns about."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ares.config.settings import DatabaseConfig
from ares.store import RowWriter


@pytest.fixture(scope="session")
def writer(questdb_config: DatabaseConfig) -> Iterator[RowWriter]:
    """A writer to the shared QuestDB."""
    rows = RowWriter(questdb_config)
    yield rows
    asyncio.run(rows.close())
