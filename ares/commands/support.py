"""`ares support-bundle`: what somebody who was not here needs to help."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console
from ares.config import load_config
from ares.errors import ConfigError, UsageError
from ares.service import ServiceContext
from ares.service.support import LEFT_OUT, write_bundle

app = typer.Typer(add_completion=False)


@app.command()
def support_bundle(
    out: Annotated[Path | None, typer.Option(help="The archive; ares-support-<time>.tar.gz unless given.")] = None,
) -> None:
    """Pack settings, logs, metrics and findings, without secrets or trades. Example: ares support-bundle"""
    clock = SystemClock()
    now_ns = clock.now_ns()
    path = out or Path(f"ares-support-{to_datetime(now_ns):%Y%m%dT%H%M%SZ}.tar.gz")
    context, problem = None, ""
    try:
        context = ServiceContext(load_config(), clock, "cli")
    except ConfigError as error:
        problem = str(error)
    try:
        manifest = asyncio.run(write_bundle(path, context, now_ns, problem, console.print))
    except OSError as error:
        raise UsageError(f"out = {str(path)!r}: {error.strerror}. Choose a file that can be written") from None
    for name, reason in manifest.missing.items():
        console.print(f"without {name}: {reason}", soft_wrap=True)
    console.print(f"{path}: {len(manifest.parts)} parts; left out: {LEFT_OUT}", soft_wrap=True)
