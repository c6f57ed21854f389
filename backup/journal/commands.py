"""`ares backup slot`: what a Postgres keeps for the journal."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import SystemClock, isoformat
from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.telemetry import configure_logging
from backup.journal.postgres import wal
from backup.journal.postgres.journal import PostgresJournal
from backup.journal.postgres.stretch import StretchFacts

slot_app = typer.Typer(add_completion=False)


@slot_app.command()
def slot(
    drop: Annotated[bool, typer.Option("--drop", help="End it: Postgres keeps nothing for the journal.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """What a Postgres control store keeps for the journal. Example: ares backup slot --drop"""
    config = load_config()
    configure_logging("backup", config.environment.log_level, json=config.monitoring.json_logs)
    journal = PostgresJournal.of(ServiceContext(config, SystemClock(), "cli"))
    if journal is None:
        raise UsageError("control.url: the control store is no Postgres, so there is no slot. Leave this command out")
    if drop:
        asyncio.run(journal.drop())
        console.print(f"slot {journal.slot}: gone. The next journal makes it again, with a new base copy")
        return
    print_rows([asyncio.run(_row(journal))], json=json)


async def _row(journal: PostgresJournal) -> dict[str, object]:
    found = await asyncio.to_thread(journal.primary.slot)
    standing = await asyncio.to_thread(journal.primary.standing)
    stretch = StretchFacts.read(journal.folders.stretch)
    state = "absent" if found is None else "given up" if found.lost else "followed" if found.active else "waiting"
    return {
        "slot": journal.slot,
        "state": state,
        "kept_bytes": found.kept_bytes if found else 0,
        "max_bytes": standing.slot_bytes_max or None,
        "base_copy": isoformat(stretch.made_ns) if stretch else None,
        "wal_here_bytes": wal.bytes_in(journal.folders.received),
    }
