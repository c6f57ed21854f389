"""Puts QuestDB right again after a disk was full: tables that stopped applying, views that became invalid.

QuestDB takes writes as long as its log has room, but applies nothing to a table after that failed once, and a view that
could not be refreshed stays invalid, both for ever: they wait for a statement, which is made here. Nothing that was
acknowledged is passed over.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field

from ares.clock import Clock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreError
from ares.resilience import Backoff
from ares.store import Database, load_queries
from ares.store.pool import Record, as_int, as_str
from ares.telemetry import get_logger, metrics

QUERIES = load_queries("ares.service", "storage.sql")
LOOK_S = 5.0
AGAIN_S_MIN, AGAIN_S_MAX = 2.0, 60.0
"""Between two attempts at the same table: one that fails again costs QuestDB little, a view's rebuild much."""
VIEW_AGAIN_S_MIN, VIEW_AGAIN_S_MAX = 30.0, 3_600.0

PARTICULARS = re.compile(r"\[[^\[\]]*=[^\[\]]*\]")
"""What differs between two errors of one cause: sizes and file descriptors."""

log = get_logger(__name__)


@dataclass(slots=True)
class Attempts:
    """When the next attempt at one table or view is due (seconds, monotonic)."""

    backoff: Backoff
    due_s: float = 0.0


@dataclass(slots=True)
class StorageKeeper:
    """Looks every `LOOK_S` seconds; `trouble` says what is broken now, "" if nothing is.

    Tables go on where they stopped, at first and then ever more rarely while the cause lasts. Once all do, views are
    built anew, those below first, where their base still holds all that they show: a rebuild deletes before it writes.
    """

    config: DatabaseConfig
    clock: Clock
    trouble: str = ""
    _told: frozenset[str] = frozenset()
    _attempts: dict[str, Attempts] = field(default_factory=dict)
    _was_calm: bool = True

    async def run(self) -> None:
        """Keep at it until cancelled."""
        while True:
            try:
                async with await Database.connect(self.config) as database:
                    while True:
                        await self.look(database)
                        await self.clock.sleep(LOOK_S)
            except StoreError as error:
                log.info("storage_not_seen", cause=str(error))
                await self.clock.sleep(LOOK_S)

    async def look(self, database: Database) -> None:
        """Once. Raises `StoreUnavailable`, `StoreRejected`."""
        suspended, views = await database.fetch(QUERIES["suspended"]), await database.fetch(QUERIES["views"])
        invalid = [view for view in views if as_str(view["status"]) == "invalid"]
        metrics.DATABASE_BROKEN.labels("suspended").set(len(suspended))
        metrics.DATABASE_BROKEN.labels("invalid").set(len(invalid))
        behind = await database.fetch_one(QUERIES["behind"])
        metrics.DATABASE_WAL_LAG.set(
            0 if behind is None or behind["transactions"] is None else as_int(behind["transactions"])
        )
        self._tell([*suspended, *invalid])
        names = {as_str(view["name"]) for view in views}
        for table in suspended:
            await self._resume(database, as_str(table["name"]), names)
        if not suspended and self._was_calm:
            await self._rebuild(database, invalid)
        self._was_calm = not suspended

    async def _resume(self, database: Database, table: str, views: set[str]) -> None:
        if self._is_due(table, AGAIN_S_MIN, AGAIN_S_MAX):
            statement = QUERIES["resume_view" if table in views else "resume_table"]
            await database.execute(statement.replace("this_table", table))
            log.warning("table_resumed", table=table)

    async def _rebuild(self, database: Database, invalid: list[Record]) -> None:
        """Views whose base is well."""
        broken = {as_str(view["name"]) for view in invalid}
        for view in invalid:
            name, base = as_str(view["name"]), as_str(view["base"])
            if base in broken or not self._is_due(name, VIEW_AGAIN_S_MIN, VIEW_AGAIN_S_MAX):
                continue
            if not await holds_all(database, name, base):
                log.error("view_not_rebuilt", view=name, cause=f"{base} does not hold all of its past any more")
                continue
            await database.execute(QUERIES["rebuild"].replace("this_table", name))
            log.warning("view_rebuilt", view=name)

    def _is_due(self, name: str, s_min: float, s_max: float) -> bool:
        now_s = self.clock.monotonic_s()
        if name not in self._attempts:
            self._attempts[name] = Attempts(Backoff(s_min, s_max, random.Random()))  # noqa: S311 - jitter
        attempts = self._attempts[name]
        if now_s < attempts.due_s:
            return False
        attempts.due_s = now_s + attempts.backoff.next_wait_s()
        return True

    def _tell(self, broken: list[Record]) -> None:
        causes = {as_str(each["name"]): PARTICULARS.sub("", as_str(each["cause"])).strip() for each in broken}
        said = frozenset(f"{name}: {cause}" for name, cause in causes.items())
        self.trouble = "; ".join(sorted(said))
        for each in sorted(said - self._told):
            log.error("storage_broken", cause=each)
        if not said and self._told:
            self._attempts.clear()
            log.info("storage_well")
        self._told = said


async def holds_all(database: Database, view: str, base: str) -> bool:
    """Whether a table still has the days of which a view was made. Raises `StoreUnavailable`, `StoreRejected`."""
    first = [await database.fetch_one(QUERIES["oldest"], {"name": name}) for name in (view, base)]
    shown, there = (None if each is None or each["day"] is None else as_str(each["day"]) for each in first)
    return shown is None or (there is not None and there <= shown)
