"""An installation small enough to be backed up and restored in seconds: its QuestDB, control store and repository."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config import AresConfig
from ares.config.backup import BackupConfig
from ares.config.settings import ControlConfig, DatabaseConfig, EnvironmentConfig
from ares.control import ControlStore
from ares.control.mirror import Mirror, OutboxFeed
from ares.events.mirror import EventFeed
from ares.model.row import Row
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.store.server import EmbeddedQuestDB
from backup.repository import Repositories
from backup.restore.scratch import on_free_ports
from backup.run import Backups, Made
from tests.questdb import put_schema

T0 = 1_764_000_000 * NANOS_PER_SECOND
HEAP_MB = 256
PAGES = ("WRITER_DATA", "WRITER_DATA_INDEX_KEY", "WRITER_DATA_INDEX_VALUE", "WAL_WRITER_DATA")
SMALL = {f"QDB_CAIRO_{name}_APPEND_PAGE_SIZE": "65536" for name in PAGES}
SMALL["QDB_CAIRO_O3_PARTITION_SPLIT_MIN_SIZE"] = "20000"
"""Late rows split a partition at once, as they do from 50 MB on."""


def trade(number: int, venue: str = "v") -> Row:
    """A trade a second."""
    columns = {"trade_id": str(number), "price": 100.0 + number % 7, "amount": 2.0}
    return Row("trades", T0 + number * NANOS_PER_SECOND, {"venue": venue, "symbol": "BTC/USDT", "side": "buy"}, columns)


class Installed:
    """What runs: everything is really there, on free ports, in one folder."""

    def __init__(self, folder: Path, control_url: str | None = None) -> None:
        self.folder = folder
        database = on_free_ports(DatabaseConfig(heap_mb=HEAP_MB, commit_mode="nosync"))
        self.config = AresConfig(
            environment=EnvironmentConfig(state_dir=folder / "var"),
            database=database,
            control=ControlConfig.model_validate({"url": control_url}),
            backup=BackupConfig(repository=str(folder / "repository")),
        )
        self.context = ServiceContext(self.config, SystemClock(), "test")
        self.server = EmbeddedQuestDB(database, self.context.state_dir)
        self.repositories = Repositories(self.config.backup, self.context.state_dir)

    def start(self) -> None:
        """As small as it goes: QuestDB lays out 16 MiB for each column of a partition that is written to."""
        os.environ.update(SMALL)
        try:
            self.server.start()
        finally:
            for name in SMALL:
                del os.environ[name]

    async def connect(self) -> None:
        self.control = ControlStore.open(self.context.control_url)
        self.writer = RowWriter(self.config.database)
        self.database = await Database.connect(self.config.database)

    async def disconnect(self) -> None:
        await self.database.close()
        await self.writer.close()
        self.control.close()

    async def write(self, rows: list[Row]) -> None:
        await self.writer.write(rows)
        await self.database.wait_applied({row.table for row in rows})

    async def mirror(self) -> None:
        """Carry what waits in the control store to QuestDB."""
        for feed in (OutboxFeed(self.control, 1_000_000), EventFeed(self.control)):
            backoff = Backoff(0.1, 1.0, random.Random(1))
            mirror = Mirror(self.control, feed, self.writer, self.context.clock, backoff, rows_max=1_000)
            while await mirror.step():
                pass
        await self.database.wait_applied(None)

    async def back_up(self, kind: str) -> Made:
        return await Backups(self.context, self.control).run(kind)


@contextmanager
def serving(folder: Path, control_url: str | None = None) -> Iterator[Installed]:
    """Its QuestDB runs, with all tables and views, and is stopped with the block."""
    there = Installed(folder, control_url)
    put_schema(there.server)
    try:
        there.start()
        yield there
    finally:
        there.server.stop()


@asynccontextmanager
async def connected(there: Installed) -> AsyncIterator[Installed]:
    """With pools on it."""
    await there.connect()
    try:
        yield there
    finally:
        await there.disconnect()
