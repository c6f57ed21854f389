"""`ares backup`: copies of everything that cannot be made again, and the proof that they come back."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, TypeVar

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console, errors, print_rows
from ares.config import load_config
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.telemetry import configure_logging
from backup.jobs import backups
from backup.repository import Repositories
from backup.run import Backups, outcome, release_left_over
from backup.sources import SOURCES, kinds
from backup.told import Progress as Report
from backup.told import Snapshot

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Copies of what cannot be made again, and the proof that they come back.",
)
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
T = TypeVar("T")


@app.callback()
def root() -> None:
    """Copies of what cannot be made again, and the proof that they come back."""


@app.command()
def run(kind: Annotated[str, typer.Option(help=f"{', '.join(SOURCES)}, or all.")] = "all", json: Json = False) -> None:
    """Copy now, while everything goes on. Example: ares backup run --kind market"""
    if kind not in (*SOURCES, "all"):
        raise UsageError(f"--kind = {kind!r}: no such kind of backup. Known: {', '.join(SOURCES)}, all")
    wanted = kinds(_context()) if kind == "all" else [kind]

    async def work(made_by: Backups) -> list[dict[str, object]]:
        return [{**outcome(await made_by.run(each))} for each in wanted]

    with _shown() as report:
        rows = _with_backups(work, report)
    print_rows(rows, json=json)


@app.command()
def init() -> None:
    """Make new repositories where none are, also where one was lost. Example: ares backup init"""
    context = _context()
    repositories = Repositories(context.config.backup, context.state_dir)
    missing = [each for each in map(repositories.of, kinds(context)) if not each.is_there()]
    for repository in missing or [repositories.market]:
        repository.create()
        console.print(
            f"{repository.location}: a new repository. Keep its password elsewhere: without it nobody can read it"
        )


@app.command("list")
def list_backups(
    kind: Annotated[str | None, typer.Option(help="Only those of this kind.")] = None, json: Json = False
) -> None:
    """What the repository holds, oldest first. Example: ares backup list --kind market --json"""
    context = _context()
    found = Repositories(context.config.backup, context.state_dir).snapshots(kind)
    print_rows([_row(each) for each in found], json=json)


@app.command()
def check(
    read_data: Annotated[bool, typer.Option("--read-data", help="Read all data, not only the next part.")] = False,
    read_data_subset: Annotated[
        str | None, typer.Option(help="n/t: read this part of the data; unset: the next of backup.check_parts.")
    ] = None,
    json: Json = False,
) -> None:
    """Prove the repository sound. Example: ares backup check --read-data-subset 2/7"""
    part = None if read_data_subset is None else _part(read_data_subset)

    async def work(checked_by: Backups) -> str:
        return await checked_by.check(read_all=read_data, part=part)

    read = _with_backups(work)
    print_rows([{"repository": "sound", "read": read}], json=json)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False, json: Json = False
) -> None:
    """Let backups go that backup.keep_* does not want, and free their room. Example: ares backup prune --dry-run"""
    rows = [
        {"kind": each.tag, "kept": len(each.kept), "removed": " ".join(each.removed)}
        for each in _with_backups(lambda work: work.prune(dry_run=dry_run))
    ]
    print_rows(rows, json=json)


@app.command()
def unlock() -> None:
    """Take away locks of dead programs; a living one's stays. Example: ares backup unlock"""
    context = _context()
    for repository in Repositories(context.config.backup, context.state_dir).all().values():
        repository.unlock()
        console.print(f"{repository.location}: no lock of a dead program is left")


@app.command()
def release() -> None:
    """End a checkpoint that QuestDB holds for nobody. Example: ares backup release"""
    released = asyncio.run(release_left_over(_context(), foreign=True))
    console.print("checkpoint released" if released else "QuestDB holds no checkpoint")


def _context() -> ServiceContext:
    config = load_config()
    configure_logging("backup", config.environment.log_level, json=config.monitoring.json_logs)
    return ServiceContext(config, SystemClock(), f"backup@{socket.gethostname()}:{os.getpid()}")


def _with_backups(work: Callable[[Backups], Awaitable[T]], report: Report = lambda _done, _total: None) -> T:
    context = _context()

    async def done() -> T:
        async with backups(context, report) as made_by:
            return await work(made_by)

    return asyncio.run(done())


def _part(text: str) -> tuple[int, int]:
    number, slash, total = text.partition("/")
    if not (slash and number.isdigit() and total.isdigit() and 1 <= int(number) <= int(total)):
        raise UsageError(f"--read-data-subset = {text!r}: not a part like 2/7, the second of seven")
    return int(number), int(total)


def _row(each: Snapshot) -> dict[str, object]:
    kinds = [tag for tag in each.tags if "=" not in tag]
    return {
        "snapshot": each.snapshot_id,
        "at": to_datetime(each.ts_ns),
        "kind": " ".join(kinds),
        "backup_id": each.backup_id,
        "paths": " ".join(each.paths),
    }


@contextmanager
def _shown() -> Iterator[Report]:
    """A bar on the terminal while bytes are read."""
    columns = (TextColumn("copying"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        bar = progress.add_task("copying", total=None)
        yield lambda done, total: progress.update(bar, completed=done, total=total)
