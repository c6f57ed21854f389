"""What tests of backups share: an installation of its own with a real QuestDB, and rows that tell on themselves."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ares.clock import SystemClock
from ares.config.backup import BackupConfig
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig
from ares.control import ControlStore
from ares.errors import StoreError
from ares.service import ServiceContext
from ares.store import Database
from ares.store.server import EmbeddedQuestDB
from backup.checkpoint import in_progress
from backup.run import Backups
from tests.questdb import serving, small

TABLE = "CREATE TABLE ticks (ts TIMESTAMP, x LONG, y DOUBLE) TIMESTAMP(ts) PARTITION BY HOUR WAL"
MORE = """
INSERT INTO ticks
SELECT ((%(first)s + x) * 1000000)::timestamp, %(first)s + x, rnd_double() FROM long_sequence(%(rows)s)
"""
FACTS = "SELECT count() AS rows, coalesce(max(x), 0) AS last, coalesce(sum(x), 0) AS total FROM ticks"


@dataclass
class Installation:
    """A state directory with its QuestDB and its repository."""

    state_dir: Path
    config: AresConfig
    server: EmbeddedQuestDB
    rows: int = 0

    @property
    def context(self) -> ServiceContext:
        return ServiceContext(self.config, SystemClock(), "test")

    def environ(self) -> dict[str, str]:
        """What makes a command of its own process mean this installation."""
        database, backup = self.config.database, self.config.backup
        return {
            "ARES_ENVIRONMENT__STATE_DIR": str(self.state_dir),
            "ARES_BACKUP__REPOSITORY": str(backup.repository),
            "ARES_BACKUP__LOCK_WAIT_S": "60",
            **{
                f"ARES_DATABASE__{name.upper()}": str(getattr(database, name))
                for name in ("http_port", "pg_port", "health_port", "commit_mode", "heap_mb")
            },
        }

    def with_backup(self, **settings: object) -> Installation:
        """The same with other settings of `[backup]`."""
        backup = BackupConfig.model_validate({**self.config.backup.model_dump(), **settings})
        return Installation(self.state_dir, self.config.model_copy(update={"backup": backup}), self.server, self.rows)

    async def write(self, rows: int) -> None:
        """More rows, without holes: their sum and count are known."""
        async with await Database.connect(self.config.database) as database:
            await database.execute(MORE, {"first": self.rows, "rows": rows})
        self.rows += rows

    @asynccontextmanager
    async def backups(self) -> AsyncIterator[tuple[Backups, ControlStore]]:
        control = ControlStore.open(self.context.control_url)
        try:
            yield Backups(self.context, control), control
        finally:
            control.close()

    async def checkpoint(self) -> int | None:
        """Since when a checkpoint is held, or None."""
        async with await Database.connect(self.config.database) as database:
            return await in_progress(database)

    async def released(self, seconds: float = 20.0) -> None:
        """Wait until no checkpoint is held; QuestDB may be starting."""
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if await self.checkpoint() is None:
                        return
                except StoreError:
                    pass
                await asyncio.sleep(0.1)


@contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """A running one, with one table and nothing in it."""
    state_dir = folder / "state"
    state_dir.mkdir()
    database = small(heap_mb=384)
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=state_dir),
        database=database,
        backup=BackupConfig(repository=str(folder / "repository"), lock_wait_s=60),
    )
    with serving(database, state_dir) as server:
        asyncio.run(_prepare(database))
        yield Installation(state_dir, config, server)


async def _prepare(config: DatabaseConfig) -> None:
    async with await Database.connect(config) as database:
        await database.execute(TABLE)


async def facts(config: DatabaseConfig) -> tuple[int, int, int]:
    """How many rows there are, the last one, and their sum."""
    async with await Database.connect(config) as database:
        await database.wait_applied(["ticks"])
        row = await database.fetch_one(FACTS)
    assert row is not None
    return tuple(int(str(row[name])) for name in ("rows", "last", "total"))  # type: ignore[return-value] # three names


@contextmanager
def locked_by_a_living_program(repository: Path, password: str) -> Iterator[None]:
    """Somebody works on a repository alone, as prune does, and takes long; when the block ends it is killed."""
    environ = {**os.environ, "RESTIC_PASSWORD": password, "RESTIC_REPOSITORY": str(repository)}
    slow = ["restic", "check", "--read-data", "--no-cache", "--limit-download", "1"]
    # The lock of a dead program, which a test before this one may leave, would keep out who wants to be alone.
    subprocess.run(["restic", "unlock"], env=environ, check=True, capture_output=True)
    left_over = set((repository / "locks").iterdir())
    living = subprocess.Popen(slow, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until_s = time.monotonic() + 30
        while not [
            each for each in (repository / "locks").iterdir() if "tmp" not in each.name and each not in left_over
        ]:
            assert living.poll() is None, f"it ended with {living.returncode} before it began"
            assert time.monotonic() < until_s, "it never began"
            time.sleep(0.02)
        yield
    finally:
        living.kill()
        living.wait()


def content(folder: Path) -> dict[str, bytes]:
    """Every file below, by its path from there."""
    files = (Path(place, name) for place, _, names in os.walk(folder) for name in names)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
