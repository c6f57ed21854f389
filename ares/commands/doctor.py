"""`ares doctor`: what is wrong here, and the way out."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from ares.clock import SystemClock
from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import OperatingError
from ares.service.doctor import examine
from ares.service.doctor.findings import worst

app = typer.Typer(add_completion=False)


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Look at the machine and the installation; exit 1 if anything fails. Example: ares doctor"""
    findings = asyncio.run(examine(load_config(), SystemClock()))
    print_rows([asdict(each) for each in findings], json=json)
    failed = [each.check for each in findings if each.status == "fail"]
    if failed:
        raise OperatingError(f"{len(failed)} checks failed: {', '.join(failed)}")
    if not json:
        console.print(f"overall: {worst(findings)}")
