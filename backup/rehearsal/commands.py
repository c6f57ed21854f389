"""`ares db rehearse`: an upgrade of QuestDB, tried on a copy before it is done."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console
from ares.config import load_config
from ares.errors import RehearsalFailed, UsageError
from ares.files import write_whole
from ares.service import ServiceContext
from ares.store.server import EmbeddedQuestDB, make_dir, resolve_jar
from backup.rehearsal.rehearse import rehearse
from backup.rehearsal.scratch import bring_backup, copy_running, copy_stopped

app = typer.Typer(add_completion=False)


@app.command()
def rehearse_command(
    *,
    to: Annotated[str, typer.Option(help="The version to try, as Maven Central names it.")],
    root: Annotated[
        Path | None, typer.Option(help="A stopped QuestDB's root, such as a restored one; it is copied, never changed.")
    ] = None,
    copy_of_state: Annotated[
        bool, typer.Option("--copy-of-state", help="The QuestDB of this installation, by a checkpoint if it runs.")
    ] = False,
    snapshot: Annotated[
        str | None, typer.Option(help="A market backup of the repository: its name in ares backup list, or latest.")
    ] = None,
    scratch: Annotated[Path | None, typer.Option(help="Where the copy is made; default: the state directory.")] = None,
    out: Annotated[Path | None, typer.Option(help="A folder for the report; default: <state>/rehearsals.")] = None,
) -> None:
    """Try another version of QuestDB on a copy, and tell what differs.

    Example: ares db rehearse --to 9.3.4 --copy-of-state
    """
    config, clock = load_config(), SystemClock()
    if not re.fullmatch(r"\d+\.\d+\.\d+", to):
        raise UsageError(f"to = {to!r}: not a version. Write it as 9.3.4")
    if [root is not None, copy_of_state, snapshot is not None].count(True) != 1:
        raise UsageError("--root, --copy-of-state or --snapshot: name one of them, such as --snapshot latest")
    state = config.environment.state_dir.resolve()
    for folder in (scratch or state, out or state / "rehearsals"):
        make_dir(folder)
    resolve_jar(to)
    folder = Path(tempfile.mkdtemp(prefix=f"rehearsal-{to}-", dir=scratch or state))
    try:
        copied = _copied(ServiceContext(config, clock, f"rehearsal@{os.getpid()}"), root, snapshot, folder)
        done = rehearse(config.database, to, folder, copied_bytes=copied, clock=clock, report=console.print)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    name = f"{done.current}-to-{done.other}-{to_datetime(clock.now_ns()):%Y%m%dT%H%M%SZ}"
    for suffix, content in ((".json", done.json()), (".txt", done.text().encode())):
        write_whole((out or state / "rehearsals") / f"{name}{suffix}", content, 0o600)
    console.print(done.text(), soft_wrap=True, markup=False, end="")
    report = (out or state / "rehearsals") / f"{name}.json"
    if done.differences:
        first = done.differences[0]
        raise RehearsalFailed(
            f"{len(done.differences)} differences; the first: {first.kind} {first.name}: {first.detail}; see {report}"
        )
    console.print(f"report: {report}", soft_wrap=True)


def _copied(context: ServiceContext, root: Path | None, snapshot: str | None, folder: Path) -> int:
    """The copy, whatever it is made of; how many bytes it has."""
    config = context.config
    if snapshot is not None:
        named = None if snapshot == "latest" else snapshot
        return asyncio.run(bring_backup(context, named, folder, lambda told: console.print(told, soft_wrap=True)))
    server = EmbeddedQuestDB(config.database, context.state_dir)
    running = server.running() is not None
    if root is not None:
        if running and root.resolve() == server.root:
            raise UsageError(
                f"root = {str(root)!r}: its QuestDB runs. Stop it with ares db stop, or say --copy-of-state"
            )
        console.print(f"copying {root}", soft_wrap=True)
        return copy_stopped(root, folder)
    if config.database.mode != "embedded":
        raise UsageError(
            f"database.mode = {config.database.mode!r}: the files of that QuestDB are not here. "
            "Bring a copy of its root here and name it by --root, or a backup by --snapshot"
        )
    console.print(f"copying {server.root}{' at a checkpoint' if running else ''}", soft_wrap=True)
    return asyncio.run(copy_running(context, server.root, folder)) if running else copy_stopped(server.root, folder)
