"""`ares backup restore`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ares.clock import SystemClock, isoformat
from ares.commands.moments import moment_of
from ares.commands.output import console, errors, print_rows
from ares.commands.who import operator
from ares.config import load_config
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.telemetry import configure_logging
from backup.repository import Repositories
from backup.restore.run import POSTGRES, Restore, Restored, Wish

restore_app = typer.Typer(add_completion=False)


@restore_app.command()
def restore(
    *,
    to: Annotated[Path | None, typer.Option(help="The new state directory; it must not hold anything yet.")] = None,
    table: Annotated[str | None, typer.Option(help="This table alone, into the QuestDB that runs.")] = None,
    at: Annotated[str | None, typer.Option(help="The newest backup up to then, UTC: 2026-11-26T14:30")] = None,
    snapshot: Annotated[
        str | None,
        typer.Option(help="This market backup instead of the newest, with the newest journal: see backup list"),
    ] = None,
    second_copy: Annotated[
        Path | None, typer.Option(help="Commits that the last journal lacks; default: as configured, without --at.")
    ] = None,
    without_journal: Annotated[bool, typer.Option("--without-journal", help="Market data alone.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Bring a state directory back, whole or not at all. Example: ares backup restore --to /srv/ares/var"""
    config = load_config()
    configure_logging("backup", config.environment.log_level, json=config.monitoring.json_logs)
    context = ServiceContext(config, SystemClock(), "cli")
    if (to is None) == (table is None):
        raise UsageError("to, table: give one of them. --to DIR for all there is, --table NAME for one table")
    if at is not None and second_copy is not None:
        raise UsageError("second-copy: it holds the newest, which is not wanted with --at. Leave one of them out")
    configured = context.config.backup.second_copy_dir if at is None else None
    found = second_copy or (configured if configured is not None and configured.is_dir() else None)
    at_ns = context.clock.now_ns() if at is None else moment_of("--at", at)
    target = to or context.state_dir / "backup" / "table"
    wish = Wish(target, at_ns, operator(), found, without_journal, snapshot)
    work = Restore(context, Repositories(context.config.backup, context.state_dir), errors.print)
    if table is not None:
        print_rows([{"table": table, "rows": asyncio.run(work.table(table, wish))}], json=json)
        return
    outcome = asyncio.run(work.run(wish))
    print_rows([summary(outcome)], json=json)
    if not json:
        tell(outcome, target)


def summary(outcome: Restored) -> dict[str, object]:
    """What came back, as a row."""
    return {
        "market": outcome.market.snapshot_id,
        "market_to": isoformat(outcome.market_to_ns) if outcome.market_to_ns else None,
        "journal": outcome.journal.snapshot_id if outcome.journal else None,
        "journal_to": isoformat(outcome.journal_to_ns) if outcome.journal_to_ns else None,
        "second_copy": outcome.second_copy,
        "rows_replayed": outcome.replayed,
        "rows_lost": outcome.lost,
        "relations": outcome.relations,
        "silent_views": " ".join(outcome.silent),
    }


def tell(outcome: Restored, to: Path) -> None:
    """What the operator has to know before anything is started."""
    if outcome.hole:
        console.print("Commits of the second copy that do not follow the journal are left out: its disk was away.")
    since = "an unknown moment" if outcome.market_to_ns is None else isoformat(outcome.market_to_ns)
    console.print(f"Market data since {since} is missing until ingest has asked the venue.")
    if outcome.lost:
        console.print(
            f"{outcome.lost} rows that QuestDB had got since are kept nowhere; what events tell was made again."
        )
    if outcome.silent:
        console.print(
            f"Views that do not answer: {', '.join(outcome.silent)}. ares db migrate makes those of Ares again"
        )
    for done in outcome.done:
        console.print(f"{done}; when its orders and balances are reconciled: ares trader resume")
    if outcome.postgres:
        console.print(f"The control store is a Postgres in {to / POSTGRES}: start it, and let control.url lead there.")
    console.print(f"Start it with ARES_ENVIRONMENT__STATE_DIR={to}", soft_wrap=True)
