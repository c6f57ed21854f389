"""`ares backup restore`: a state directory from the repository in one go, for a new machine or for a look."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ares.clock import isoformat
from ares.control import AuditEntry, ControlStore
from ares.control.copying import require_whole
from ares.control.mirror import Feed, Mirror, OutboxFeed
from ares.control.second_copy import CURSOR as SECOND_COPY
from ares.control.second_copy import LINE, LINE_SINCE, copied_after, newest_copied
from ares.errors import BackupIncomplete, StoreUnavailable, UsageError
from ares.events import EventRegistry
from ares.events.mirror import EventFeed
from ares.events.projection import installed
from ares.events.replay import Replay, ReplayParts
from ares.resilience import Backoff
from ares.service.restored import hold_restored
from ares.service.types import ServiceContext
from ares.store import Database, RowWriter
from ares.store.migrate import migrate
from ares.telemetry import get_logger
from backup.journal.coverage import Coverage, hand_out_again
from backup.journal.postgres.stretch import STRETCH
from backup.journal.reach import Reach
from backup.manifest import read_manifest
from backup.repository import MARKET, Repositories
from backup.restore.choice import Choice, choose
from backup.restore.cluster import Cluster, put_together, serving
from backup.restore.scratch import Scratch, scratch
from backup.restore.smoke import ask_everything
from backup.restore.staging import arrange, staged, under, unpacked
from backup.restore.table import Table, copy_missing
from backup.told import Snapshot

CONTROL, POSTGRES = "control.db", "postgres"
WRITER = "restore"
APPLY_S_MAX = 3_600.0
STEP_S_MAX = 120.0

log = get_logger(__name__)
Report = Callable[[str], None]
Look = Callable[[Scratch, Path], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be restored. `second_copy`: a folder that has commits which the journal lacks; not with a moment.
    `snapshot`: this market backup instead of the newest.
    """

    target: Path
    at_ns: int
    who: str
    second_copy: Path | None = None
    without_journal: bool = False
    snapshot: str | None = None


@dataclass(frozen=True, slots=True)
class Restored:
    """What came back. `market_to_ns`: of market data later than this only the venue knows (None: nobody can tell);
    `replayed`: rows that the journal handed out again; `lost`: rows that it had handed out before and no longer keeps;
    `second_copy`: transactions that only the second copy had; `silent`: views that do not answer; `postgres`: the
    control store is one, in the folder of that name.
    """

    market: Snapshot
    journal: Snapshot | None
    market_to_ns: int | None
    journal_to_ns: int | None = None
    postgres: bool = False
    replayed: int = 0
    lost: int = 0
    second_copy: int = 0
    hole: bool = False
    relations: int = 0
    silent: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


class Restore:
    """Restores of one installation."""

    def __init__(self, context: ServiceContext, repositories: Repositories, report: Report) -> None:
        self._context = context
        self._repositories = repositories
        self._report = report

    async def run(self, wish: Wish, look: Look | None = None) -> Restored:
        """The target is whole when this returns, and absent after an error or a death.

        `look` is shown QuestDB as of its checkpoint, before the journal adds to it.

        Raises `UsageError` for what cannot be, `BackupError` of the repository, `ServerFailed`, `StoreError`.
        """
        if wish.second_copy is not None and not wish.second_copy.is_dir():
            raise UsageError(
                f"second-copy = {str(wish.second_copy)!r}: no such folder. Name the one that was copied to"
            )
        with staged(wish.target) as staging:
            choice = await asyncio.to_thread(self.choice, wish)
            outcome, cluster = await self._bring(choice, staging, wish)
            async with scratch(self._context.config.database, staging, restore=True) as database:
                self._report("QuestDB is back at its checkpoint")
                if look is not None:
                    await look(database, staging)
                async with self._control(choice, cluster, staging) as url:
                    outcome = await self._complete(outcome, choice.coverage, database, url, wish)
            for leftover in ("run", "logs", "backup"):
                shutil.rmtree(staging / leftover, ignore_errors=True)
        return outcome

    async def table(self, name: str, wish: Wish) -> int:
        """Bring one table back into the QuestDB that runs; `wish.target` is where the backup is unpacked meanwhile.

        Returns how many rows of it were written. Raises as `run`, and `UnknownName`.
        """
        snapshots = await asyncio.to_thread(self._repositories.snapshots, MARKET)
        market = choose(snapshots, wish.at_ns, wish.snapshot).market
        config = self._context.config.database
        writer = RowWriter(config)
        try:
            with unpacked(wish.target) as staging:
                await self.bring_market(market, staging)
                async with (
                    scratch(config, staging, restore=True) as database,
                    await Database.connect(config) as running,
                ):
                    known = sorted(await asyncio.to_thread(read_manifest, staging))
                    table = await Table.of(database.database, name, known)
                    return await copy_missing(database.database, running, table, writer)
        finally:
            await writer.close()

    def choice(self, wish: Wish) -> Choice:
        """Raises `UsageError` where the repository has not what is wished."""
        chosen = choose(self._repositories.snapshots(), wish.at_ns, wish.snapshot)
        if chosen.journal is None and not wish.without_journal:
            raise UsageError(
                f"at = {isoformat(wish.at_ns)!r}: no journal is that old, so orders, audit and settings would be lost. "
                "Give --without-journal to restore market data alone, or a later --at"
            )
        return chosen

    async def _bring(self, choice: Choice, staging: Path, wish: Wish) -> tuple[Restored, Cluster | None]:
        await self.bring_market(choice.market, staging)
        outcome = Restored(choice.market, choice.journal, choice.market_to_ns, choice.journal_to_ns)
        if choice.journal is None:
            return outcome, None
        self._report(f"journal of {isoformat(choice.journal.ts_ns)}")
        if Reach.of(choice.journal.tags) is not None:
            if wish.second_copy is not None:
                raise UsageError(f"second-copy = {str(wish.second_copy)!r}: a Postgres has none. Leave it out")
            cluster = await asyncio.to_thread(self._bring_postgres, choice.journal, staging)
            return replace(outcome, postgres=True), cluster
        await asyncio.to_thread(self._bring_journal, choice.journal, staging)
        if wish.second_copy is None:
            return outcome, None
        applied, hole = await asyncio.to_thread(_catch_up, staging / CONTROL, wish.second_copy)
        return replace(outcome, second_copy=applied, hole=hole), None

    @asynccontextmanager
    async def _control(self, choice: Choice, cluster: Cluster | None, staging: Path) -> AsyncIterator[str]:
        """The URL of the restored control store, which can be written to during the block."""
        if cluster is None:
            yield f"sqlite:///{staging / CONTROL}"
            return
        assert choice.journal is not None, "the cluster is of it"
        reach = Reach.of(choice.journal.tags)
        assert reach is not None, "else it were no cluster"
        until_ns = None if choice.until_ns is None else choice.until_ns + reach.skew_ns
        async with serving(cluster, until_ns, self._context.config.backup.copy_s_max, self._context.clock) as url:
            self._report("Postgres is back")
            yield url

    async def bring_market(self, market: Snapshot, state_dir: Path) -> None:
        """The files of a market backup, in their places; QuestDB has still to go back to its checkpoint."""
        self._report(f"market backup of {isoformat(market.ts_ns)}")
        brought = state_dir / "market.part"
        await asyncio.to_thread(self._repositories.market.restore, market.snapshot_id, brought)
        await asyncio.to_thread(arrange, brought, market.paths, state_dir)
        shutil.rmtree(brought)

    def _bring_journal(self, journal: Snapshot, staging: Path) -> None:
        found = next((path for path in journal.paths if Path(path).name == CONTROL), None)
        if found is None:
            raise BackupIncomplete(f"journal {journal.snapshot_id}: it holds no {CONTROL}. Take another with --at")
        with (staging / CONTROL).open("wb") as file:
            self._repositories.journal.dump(journal.snapshot_id, found, file)
        (staging / CONTROL).chmod(0o600)
        require_whole(staging / CONTROL)

    def _bring_postgres(self, journal: Snapshot, staging: Path) -> Cluster:
        stretch = next((path for path in journal.paths if Path(path).name == STRETCH), None)
        if stretch is None:
            raise BackupIncomplete(f"journal {journal.snapshot_id}: it holds no base copy. Take another with --at")
        brought = staging / "journal.part"
        self._repositories.journal.restore(journal.snapshot_id, brought)
        reach = Reach.of(journal.tags)
        assert reach is not None, "else it were a file"
        there = under(brought, PurePosixPath(stretch))
        cluster = put_together(there, staging / POSTGRES, self._context.config.backup.postgres_bin, reach.record)
        shutil.rmtree(brought)
        return cluster

    async def _complete(
        self, outcome: Restored, coverage: Coverage, database: Scratch, url: str, wish: Wish
    ) -> Restored:
        """What the journal knows is in QuestDB too, nothing acts on it unasked, and all of it answers."""
        writer = RowWriter(database.config)
        control = await asyncio.to_thread(ControlStore.open, url)
        try:
            await migrate(database.database, writer, self._context.clock)
            await asyncio.to_thread(_begin_line, control, self._context.clock.now_ns(), outcome.market.ts_ns)
            why = f"restored from the backup of {isoformat(outcome.market.ts_ns)} by {wish.who}"
            done = await hold_restored(self._context, control, why)
            await asyncio.to_thread(control.audit, [self._entry(outcome, wish)])
            replayed, lost = await self._replayed(control, coverage, database, writer)
            await database.database.wait_applied(None, APPLY_S_MAX)
            relations, silent = await ask_everything(database.database)
        finally:
            control.close()
            await writer.close()
        outcome = replace(outcome, replayed=replayed, lost=lost, relations=relations)
        return replace(outcome, silent=silent, done=tuple(done))

    async def _replayed(
        self, control: ControlStore, coverage: Coverage, database: Scratch, writer: RowWriter
    ) -> tuple[int, int]:
        """Hand out what the checkpoint lacks; where the outbox does not reach back so far, fold the log of events.

        Returns how many rows that were, and how many it no longer had.
        """
        await asyncio.to_thread(hand_out_again, control, coverage)
        first = await asyncio.to_thread(control.outbox, 0, 1)
        rows, lost = 0, first[0].seq - 1 - coverage.outbox if first and coverage.known else 0
        if first and first[0].seq > coverage.outbox + 1:
            rows += await self._folded(control, database, writer)
        limits = self._context.config
        feeds: Sequence[Feed] = (
            OutboxFeed(control, limits.backup.mirrored_rows_kept_max),
            EventFeed(control),
        )
        for feed in feeds:
            backoff = Backoff(0.1, 5.0, random.Random())  # noqa: S311 - jitter, not a secret
            rows_max = limits.control.mirror_batch_rows_max
            mirror = Mirror(control, feed, writer, self._context.clock, backoff, rows_max=rows_max)
            while carried := await _answered(mirror.step()):
                rows += carried
        self._report(f"{rows} rows of the journal")
        return rows, max(0, lost)

    async def _folded(self, control: ControlStore, database: Scratch, writer: RowWriter) -> int:
        parts = ReplayParts(control, EventRegistry.installed(), database.database, self._context.clock, writer)
        rows = 0
        for projection in installed(self._context.config).values():
            rows += await Replay(parts, projection).rebuild()
        return rows

    def _entry(self, outcome: Restored, wish: Wish) -> AuditEntry:
        return AuditEntry(
            writer=WRITER,
            who=wish.who,
            what="restored",
            ts_ns=self._context.clock.now_ns(),
            after={
                "market": outcome.market.snapshot_id,
                "journal": outcome.journal.snapshot_id if outcome.journal else None,
                "second_copy": outcome.second_copy,
                "market_to_ns": outcome.market_to_ns,
            },
            why="restored from backups",
        )


async def _answered(step: Coroutine[object, object, int]) -> int:
    """The scratch database is ours alone: one that is away does not come back. Raises `StoreUnavailable`."""
    try:
        return await asyncio.wait_for(step, STEP_S_MAX)
    except TimeoutError:
        raise StoreUnavailable(f"the restored QuestDB took no rows for {STEP_S_MAX:g} s; see its log") from None


def _catch_up(path: Path, second_copy: Path) -> tuple[int, bool]:
    """Apply what the second copy has beyond the journal; whether it has more that does not follow."""
    control = ControlStore.open(f"sqlite:///{path}")
    try:
        before = last = control.cursor(SECOND_COPY)
        line = control.cursor(LINE)
        for transaction in copied_after(second_copy, before, line):
            control.put_copied(transaction)
            last = transaction.number
    finally:
        control.close()
    return last - before, newest_copied(second_copy) > (line, last)


def _begin_line(control: ControlStore, now_ns: int, market_ns: int) -> None:
    """What is said from now on is another history than what was said after the backups that came back."""
    control.advance(LINE, now_ns)
    control.rewind(LINE_SINCE, 0)
    control.advance(LINE_SINCE, market_ns)
