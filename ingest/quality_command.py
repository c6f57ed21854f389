"""`ares data quality`: the newest grade of every check."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import HOUR_NS, Clock, SystemClock, to_datetime
from ares.commands.output import print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.store import Database, RowWriter
from ares.store.pool import Record
from ingest.intakes import has_dense_ids
from ingest.quality import REPORT, Inspector
from ingest.venues.rest import channels_of

HOURS_MAX = 24 * 365


def quality(
    hours: Annotated[float, typer.Option(help="Results of so many hours back.")] = 24.0,
    run: Annotated[bool, typer.Option("--run", help="Run the checks now.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """The newest grade of every check; exit 1 if any fails or none has run. Example: ares data quality --run"""
    if not 0 < hours <= HOURS_MAX:
        raise UsageError(f"hours = {hours}: not between 0 and {HOURS_MAX}. Ask for less")
    rows = asyncio.run(graded(load_config(), hours, SystemClock(), run=run))
    print_rows(rows, json=json)
    if not rows:
        raise OperatingError(f"no check has run in the last {hours:g} hours. Run them: ares data quality --run")
    failed = sorted({str(row["check_name"]) for row in rows if row["grade"] == "fail"})
    if failed:
        raise OperatingError(f"{len(failed)} checks failed: {', '.join(failed)}")


async def graded(config: AresConfig, hours: float, clock: Clock, *, run: bool) -> list[Record]:
    """The newest results, of checks that are run before if `run`. Raises `StoreUnavailable`, `StoreRejected`."""
    async with await Database.connect(config.database, readonly=not run) as database:
        if run:
            await run_checks(config, database, clock)
        since = to_datetime(clock.now_ns() - round(hours * HOUR_NS))
        return await database.fetch(REPORT["latest"], {"venue": config.ingest.venue, "from": since})


async def run_checks(config: AresConfig, database: Database, clock: Clock) -> None:
    """Run every check once and store what it observed."""
    from ingest.venues.registry import words_of  # noqa: PLC0415 - imports ccxt, which takes seconds

    settings = config.ingest
    inspector = Inspector(database, settings.venue, settings.symbols, config.quality, clock)
    venue = config.venues.get(settings.venue)
    inspector.dense_ids = venue is None or has_dense_ids(venue)
    if settings.venue in config.venues:
        inspector.channels = channels_of(words_of(config.venues[settings.venue]))
    rows = await inspector.inspect()
    writer = RowWriter(config.database)
    try:
        await writer.write(rows)
    finally:
        await writer.close()
    await database.wait_applied(["quality_checks"])
