"""The control store as a kind of backup."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ares.control import ControlStore
from ares.control.copying import copy_sqlite, sqlite_file
from ares.control.postgres import is_postgres
from ares.control.second_copy import prune_copied
from ares.errors import ConfigError
from ares.service import ServiceContext
from ares.store.server import make_dir
from backup.journal.coverage import Coverage
from backup.journal.postgres.journal import LOCK, PostgresJournal
from backup.journal.reach import Reach
from backup.prepared import Prepared

FILE = "control.db"


class JournalSource:
    """A copy of the SQLite file, made while everybody writes, or a Postgres' base copy with its WAL since.

    It never waits for a market backup, which takes long.
    """

    name = "journal"
    lock = LOCK

    def __init__(self, context: ServiceContext) -> None:
        self._context = context
        self._staging = context.state_dir / "backup" / "staging" / self.name

    @asynccontextmanager
    async def prepared(self, lock: int) -> AsyncIterator[Prepared]:  # noqa: ARG002 - nobody need outlive us
        if not is_kept(self._context):
            way_out = "Set it to true, and let the journal's role follow: see docs/guides/operator/backups.md"
            raise ConfigError("backup.follow_postgres", "false", "a Postgres then has copies of its own only", way_out)
        followed = PostgresJournal.of(self._context)
        yield await (self._sqlite() if followed is None else self._postgres(followed))

    async def _postgres(self, followed: PostgresJournal) -> Prepared:
        staged = await followed.staged()
        mark = staged.mark
        coverage = await asyncio.to_thread(self._of_its_line, mark.at_ns)
        reach = Reach(staged.facts.from_ns, mark.at_ns, mark.skew_ns, mark.record)
        return Prepared([staged.folder], mark.at_ns, tags=[*coverage.tags, *reach.tags])

    def _of_its_line(self, at_ns: int) -> Coverage:
        """Which history a Postgres goes on: only a restore, which is another server, begins another."""
        control = ControlStore.open(self._context.control_url)
        try:
            now = Coverage.now(control, at_ns)
        finally:
            control.close()
        return Coverage(at_ns=at_ns, line=now.line, since_ns=now.since_ns)

    async def _sqlite(self) -> Prepared:
        source = sqlite_file(self._context.control_url)
        if source is None:
            way_out = "Use a file of SQLite or a Postgres"
            raise ConfigError("control.url", "(hidden)", "no journal can be made of this store", way_out)
        covers_to_ns = self._context.clock.now_ns()
        await asyncio.to_thread(make_dir, self._staging)
        copied = await asyncio.to_thread(copy_sqlite, source, self._staging / FILE)

        async def kept() -> None:
            """What the repository has by now need not lie on the second disk."""
            folder = self._context.config.backup.second_copy_dir
            if folder is not None:
                await asyncio.to_thread(prune_copied, folder, copied.number)

        coverage = Coverage(at_ns=covers_to_ns, line=copied.line, since_ns=copied.line_since)
        return Prepared([self._staging / FILE], covers_to_ns, tags=coverage.tags, kept=kept)


def is_kept(context: ServiceContext) -> bool:
    """Whether this installation keeps a journal: not of a Postgres that allows nobody to follow it."""
    return context.config.backup.follow_postgres or not is_postgres(context.control_url)
