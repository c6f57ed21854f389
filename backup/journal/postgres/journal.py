"""The journal of a Postgres: its WAL comes in all the time; now and then what there is goes to the repository.

The slot on the server knows how far the WAL has come in, and makes the server keep the rest. A slot that is gone, or
that the server gave up because too much waited, ends a stretch: the next one begins with a new base copy.
"""

from __future__ import annotations

import asyncio
import random
import shutil
from dataclasses import dataclass
from pathlib import Path

from ares.clock import NANOS_PER_SECOND
from ares.control.postgres import Address, ask, is_postgres
from ares.errors import AresError, BackupIncomplete, RepositoryLocked
from ares.resilience import Backoff
from ares.service import ServiceContext
from ares.store.server import make_dir
from ares.telemetry import get_logger, metrics
from backup.journal.postgres import wal
from backup.journal.postgres.primary import MIB, QUERIES, Mark, Primary, Slot, Standing, slot_name
from backup.journal.postgres.programs import Programs
from backup.journal.postgres.receiver import Receiver
from backup.journal.postgres.stretch import WAL, BaseCopy, Folders, StretchFacts, forget, take_up
from backup.lock import only_one

LOCK = "journal.lock"
POLL_S = 0.1
RECEIVED_S_MAX = 20.0
LOOK_S = 10.0
NS_PER_HOUR = 3_600 * NANOS_PER_SECOND
WAIT_S_MIN, WAIT_S_MAX = 0.2, 5.0
WELL_S_MIN = 10.0
"""A receiver that worked for so long is begun again at once."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Staged:
    """What can be copied now, and up to when it reaches."""

    folder: Path
    facts: StretchFacts
    mark: Mark


class PostgresJournal:
    """The journal of one installation. Its calls may come from several processes at once."""

    def __init__(self, context: ServiceContext) -> None:
        config = context.config.backup
        self._context = context
        self._url = config.postgres_url.get_secret_value() if config.postgres_url else context.control_url
        self.slot = slot_name(config.host)
        self.primary = Primary(self._url, self.slot)
        self.folders = Folders(context.state_dir / "backup" / "staging" / "journal")
        self._address = Address.of(self._url)
        self._receiver = Receiver(self._address, self.slot, self.folders, context.clock)

    @classmethod
    def of(cls, context: ServiceContext) -> PostgresJournal | None:
        """None where the control store is no Postgres."""
        return cls(context) if is_postgres(context.control_url) else None

    async def staged(self) -> Staged:
        """Have all that is committed now in a stretch that changes no more. To be called with the lock of journals.

        Raises `ConfigError` for a server that cannot be followed, `ControlUnavailable`, `BackupIncomplete`.
        """
        await asyncio.to_thread(make_dir, self.folders.root)
        standing = await asyncio.to_thread(self.primary.standing)
        await self._followed(standing)
        if StretchFacts.read(self.folders.stretch) is None:
            await self._copy_base(standing)
            await asyncio.to_thread(take_up, self.folders)
        mark = await asyncio.to_thread(self.primary.mark, self._context.clock)
        await self._received(standing, mark.position)
        facts = StretchFacts.read(self.folders.stretch)
        assert facts is not None, "it was there, or was made"
        target = self.folders.stretch / WAL
        try:
            await asyncio.to_thread(
                wal.stage, self.folders.received, target, facts.begin, mark.position, facts.segment_bytes
            )
        except BackupIncomplete:
            await asyncio.to_thread(shutil.rmtree, self.folders.stretch, ignore_errors=True)
            raise
        return Staged(self.folders.stretch, facts, mark)

    async def keep_receiving(self) -> None:
        """Let WAL come in until cancelled, whatever ends the receiver. There must be a slot, which `staged` makes."""
        clock = self._context.clock
        backoff = Backoff(WAIT_S_MIN, WAIT_S_MAX, random.Random())  # noqa: S311 - jitter, not a secret
        while True:
            began_s = clock.monotonic_s()
            try:
                slot = await asyncio.to_thread(self.primary.slot)
                if slot is not None and not slot.lost:
                    await self._receive(await asyncio.to_thread(self.primary.standing))
            except RepositoryLocked:
                log.debug("somebody_else_receives_wal", slot=self.slot)
            except (AresError, OSError) as error:
                log.warning("wal_receiver_ended", cause=str(error), slot=self.slot)
            if clock.monotonic_s() - began_s > WELL_S_MIN:
                backoff.reset()
            await clock.sleep(backoff.next_wait_s())

    async def keep_short(self) -> None:
        """Begin a new stretch, until cancelled, when the old one is long; the old one is copied on meanwhile."""
        while True:
            await self._context.clock.sleep(LOOK_S)
            try:
                await self.watch()
                if await asyncio.to_thread(self._is_long):
                    await self._copy_base(await asyncio.to_thread(self.primary.standing))
                    lock = self._context.state_dir / "backup" / LOCK
                    async with only_one(lock, self._context.clock, self._context.config.backup.copy_s_max):
                        await asyncio.to_thread(take_up, self.folders)
            except (AresError, OSError) as error:
                log.warning("base_copy_will_be_tried_again", cause=str(error))

    async def watch(self) -> Slot | None:
        """Show how much WAL waits, on the server and here; the slot, if there is one. Raises `ControlUnavailable`."""
        metrics.JOURNAL_WAL.set(await asyncio.to_thread(wal.bytes_in, self.folders.received))
        standing = await asyncio.to_thread(self.primary.standing)
        slot = await asyncio.to_thread(self.primary.slot)
        metrics.JOURNAL_SLOT_KEPT.set(slot.kept_bytes if slot else 0)
        metrics.JOURNAL_SLOT_MAX.set(standing.slot_bytes_max or -1)
        return slot

    async def drop(self) -> None:
        """Let the server keep nothing for us any more; the next journal begins a new stretch.

        Raises `BackupIncomplete` while the slot is followed.
        """
        await asyncio.to_thread(self.primary.drop_slot)
        async with only_one(self.folders.lock, self._context.clock, RECEIVED_S_MAX):
            await asyncio.to_thread(forget, self.folders)

    def _is_long(self) -> bool:
        facts, config = StretchFacts.read(self.folders.stretch), self._context.config.backup
        if facts is None:
            return False
        old = self._context.clock.now_ns() - facts.made_ns > config.base_copy_hours * NS_PER_HOUR
        return old or wal.bytes_in(self.folders.received) > config.wal_mb_max * MIB

    async def _followed(self, standing: Standing) -> None:
        """There is a slot, and what lies here is of this server and this slot; else all begins anew."""
        slot = await asyncio.to_thread(self.primary.slot)
        if slot is not None and slot.lost:
            log.error("journal_slot_given_up", slot=self.slot, way_out="raise max_slot_wal_keep_size")
            await asyncio.to_thread(self.primary.drop_slot)
            slot = None
        facts = StretchFacts.read(self.folders.stretch)
        other = facts is not None and facts.system != standing.system
        if slot is None or other:
            async with only_one(self.folders.lock, self._context.clock, RECEIVED_S_MAX):
                await asyncio.to_thread(forget, self.folders)
        if slot is None:
            await asyncio.to_thread(self.primary.create_slot, standing)
            log.info("journal_slot_made", slot=self.slot)

    async def _copy_base(self, standing: Standing) -> None:
        config, clock = self._context.config.backup, self._context.clock
        programs = await asyncio.to_thread(Programs.to_follow, config.postgres_bin, standing.major)
        copy = BaseCopy(programs, self._address, config.copy_s_max)
        (store,) = await asyncio.to_thread(ask, self._context.control_url, QUERIES["store"])
        began_s = clock.monotonic_s()
        await copy.make(self.folders.draft, standing, (str(store["database"]), str(store["role"])), clock)
        log.info("base_copy_made", duration_s=round(clock.monotonic_s() - began_s, 1))

    async def _received(self, standing: Standing, position: int) -> None:
        """Wait until all before a position is here; where nobody receives, do it. Raises `BackupIncomplete`."""
        clock = self._context.clock
        until_s = clock.monotonic_s() + RECEIVED_S_MAX
        while True:
            slot = await asyncio.to_thread(self.primary.slot)
            if slot is None or slot.lost:
                raise BackupIncomplete(f"slot {self.slot} is gone: a new base copy will be made")
            if slot.position >= position:
                return
            if clock.monotonic_s() >= until_s:
                missing = position - slot.position
                raise BackupIncomplete(f"{missing} bytes of WAL did not come in within {RECEIVED_S_MAX:g} s. Try again")
            if not slot.active:
                try:
                    await asyncio.wait_for(self._receive(standing, position), until_s - clock.monotonic_s())
                except (RepositoryLocked, TimeoutError):
                    continue
                return  # it is on the disk, though the slot was not told of the end
            await clock.sleep(POLL_S)

    async def _receive(self, standing: Standing, until: int | None = None) -> None:
        configured = self._context.config.backup.postgres_bin
        programs = await asyncio.to_thread(Programs.to_follow, configured, standing.major)
        await self._receiver.receive(programs, standing.segment_bytes, until)
