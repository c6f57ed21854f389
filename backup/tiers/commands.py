"""`ares data retention` and `ares data sql`."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ares.clock import DAY_NS, Clock, SystemClock
from ares.commands.moments import moment_of
from ares.commands.output import errors, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UnknownName, UsageError
from ares.store import Database, RowWriter
from ares.telemetry import configure_logging

if TYPE_CHECKING:
    from ares.lake.sql import Answer
    from backup.tiers.model import Step

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Tables = Annotated[list[str] | None, typer.Option("--table", help="Of lake.tiers; may be repeated. Unset: all.")]
SUFFIXES = (".csv", ".parquet")

retention_app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="What is copied to the cold tier, what is dropped from QuestDB, and what is not, and why.",
)
sql_app = typer.Typer(add_completion=False)


@retention_app.command("plan")
def plan_command(table: Tables = None, json: Json = False) -> None:
    """What is due, and what is refused for which reason; changes nothing. Example: ares data retention plan"""
    config = configured()
    print_rows(
        [row_of_step(step) for step in asyncio.run(planned(config, chosen(config, table), SystemClock()))], json=json
    )


@retention_app.command("apply")
def apply_command(
    table: Tables = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="As `plan`: show, and change nothing.")] = False,
    json: Json = False,
) -> None:
    """Copy, prove, convert, drop; a refusal is no failure. Example: ares data retention apply --table trades"""
    config = configured()
    tables = chosen(config, table)
    if dry_run:
        rows = [row_of_step(step) for step in asyncio.run(planned(config, tables, SystemClock()))]
    else:
        from backup.tiers.retention import applied  # noqa: PLC0415 - help need not wait for Delta Lake

        steps = asyncio.run(applied(config, SystemClock(), state_dir(config), tables, errors.print))
        rows = [row_of_step(done.step, done.outcome) for done in steps]
    print_rows(rows, json=json)


@retention_app.command("status")
def status_command(json: Json = False) -> None:
    """Days in each tier by table, and what they weigh there, bytes a row. Example: ares data retention status"""
    print_rows(asyncio.run(weighed(configured())), json=json)


@sql_app.command()
def sql(  # noqa: PLR0917 - typer calls it by name
    query: Annotated[str, typer.Argument(help="One SELECT in DuckDB's SQL; tables are those of lake.tiers.")],
    from_: Annotated[str | None, typer.Option("--from", help="UTC: 2026-11-01 or 2026-11-01T06:30.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="UTC, exclusive. Unset: until now.")] = None,
    rows_max: Annotated[int, typer.Option(min=1, help="Rows that are shown; a file takes all.")] = 1_000,
    file: Annotated[Path | None, typer.Option("--file", help="Write .csv or .parquet instead.")] = None,
    json: Json = False,
) -> None:
    """Ask QuestDB and the cold tier as one. Example: ares data sql "SELECT count(*) FROM trades" --from 2026-11-01"""
    if file is not None and file.suffix not in SUFFIXES:
        raise UsageError(f"--file = {str(file)!r}: neither {' nor '.join(SUFFIXES)}. Name it so")
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"--file = {str(file)!r}: there is no folder {str(file.parent)!r}. Make it, or name another")
    config = configured()
    span = (
        0 if from_ is None else moment_of("--from", from_),
        SystemClock().now_ns() + DAY_NS if to is None else moment_of("--to", to),
    )
    if span[0] >= span[1]:
        raise UsageError(f"--from = {from_}: not before --to = {to or 'now'}. Turn them round")
    answer = asyncio.run(asked(config, query, span, rows_max, file))
    if isinstance(answer, int):
        errors.print(f"{answer} rows in {file}")
        return
    print_rows([dict(zip(answer.columns, row, strict=True)) for row in answer.rows], json=json)
    if answer.cut:
        errors.print(f"only the first {rows_max} rows: --rows-max shows more, --file takes all")


def configured() -> AresConfig:
    """The settings; only what matters is logged here."""
    configure_logging("data", "warning", json=False)
    return load_config()


def chosen(config: AresConfig, tables: Sequence[str] | None) -> list[str]:
    """The tables that were named. Raises `UnknownName`."""
    known: list[str] = [tier.table for tier in config.lake.tiers]
    for table in tables or ():
        if table not in known:
            raise UnknownName("table of lake.tiers", table, known)
    return list(tables or known)


def row_of_step(step: Step, outcome: str | None = None) -> dict[str, object]:
    """A line of the plan; `outcome` of what was done."""
    due = "refused: " + "; ".join(step.refusals) if step.refusals else "due"
    return {
        "table": step.table,
        "action": step.action,
        "what": step.span,
        "rows": step.rows,
        "bytes": step.size_bytes,
        "outcome": outcome or due,
    }


async def planned(config: AresConfig, tables: Sequence[str], clock: Clock) -> list[Step]:
    """The plan, by the read-only user."""
    from backup.tiers.retention import Retention  # noqa: PLC0415 - help need not wait for Delta Lake

    writer = RowWriter(config.database)
    try:
        async with await Database.connect(config.database, readonly=True) as database:
            return await Retention(config, clock, database, writer, state_dir(config)).plan(tables)
    finally:
        await writer.close()


async def weighed(config: AresConfig) -> list[dict[str, object]]:
    """Days and bytes a row of each table and tier; a size that was never seen is empty."""
    from backup.tiers.facts import FactReader  # noqa: PLC0415 - help need not wait for Delta Lake
    from backup.tiers.weights import weights  # noqa: PLC0415 - the same

    async with await Database.connect(config.database, readonly=True) as database:
        facts = FactReader(config, database)
        return [weights(tier.table, (await facts.cold_days(tier.table)).values()) for tier in config.lake.tiers]


async def asked(
    config: AresConfig, query: str, span: tuple[int, int], rows_max: int, file: Path | None
) -> Answer | int:
    """The answer, or how many rows were written. Everything that was fetched goes with the folder."""
    from ares.lake.delta import Lake  # noqa: PLC0415 - help need not wait for Delta Lake
    from backup.tiers.copying import scratch_of  # noqa: PLC0415 - the same
    from backup.tiers.querying import Gathering, Span  # noqa: PLC0415 - the same

    state = state_dir(config)
    with tempfile.TemporaryDirectory(prefix="sql-", dir=scratch_of(state)) as folder:
        async with await Database.connect(config.database, readonly=True) as database:
            gathering = Gathering(config, database, Lake.of(config.lake, state), Path(folder))
            tables = await gathering.tables(query, Span(*span))
        if file is not None:
            return await asyncio.to_thread(gathering.query.write, query, tables, file)
        return await asyncio.to_thread(gathering.query.fetch, query, tables, rows_max)


def state_dir(config: AresConfig) -> Path:
    """As services see it."""
    return config.environment.state_dir.resolve()
