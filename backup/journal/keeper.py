"""Copies the control store to the repository again and again: it has what cannot be asked for anywhere else."""

from __future__ import annotations

import asyncio

from ares.control import ControlStore
from ares.errors import AresError
from ares.service import ServiceContext
from ares.telemetry import get_logger
from backup.journal.coverage import keep_until_covered
from backup.journal.postgres.journal import PostgresJournal
from backup.journal.source import is_kept
from backup.run import Backups

KIND = "journal"
PAUSE_S_MIN = 1.0

log = get_logger(__name__)


async def keep_journal(context: ServiceContext, control: ControlStore) -> None:
    """Copy every backup.journal_s until cancelled. One that fails is told; the next has all of it.

    Of a Postgres the WAL comes in meanwhile, and now and then a new base copy; one that is not to be followed is left
    to its own copies.
    """
    await asyncio.to_thread(keep_until_covered, control)
    if not is_kept(context):
        log.info("journal_is_left_to_postgres")
        await asyncio.Event().wait()
    followed = PostgresJournal.of(context)
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_copying(context, control))
        if followed is not None:
            group.create_task(followed.keep_receiving())
            group.create_task(followed.keep_short())


async def _keep_copying(context: ServiceContext, control: ControlStore) -> None:
    work, clock = Backups(context, control), context.clock
    while True:
        began_s = clock.monotonic_s()
        try:
            await work.run(KIND)
        except AresError as error:
            log.warning("journal_will_be_copied_again", cause=error.code)
        await clock.sleep(max(PAUSE_S_MIN, context.config.backup.journal_s - (clock.monotonic_s() - began_s)))
