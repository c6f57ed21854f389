"""`ares backup drill`."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import SystemClock
from ares.commands.output import errors, print_rows
from ares.config import load_config
from ares.service import ServiceContext
from ares.service.jobs import run_job
from ares.telemetry import configure_logging
from backup.drill.jobs import spec

drill_app = typer.Typer(add_completion=False)


@drill_app.command()
def drill(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Restore the newest backup beside the real thing and compare; exit 1 if it differs. Example: ares backup drill"""
    config = load_config()
    configure_logging("backup", config.environment.log_level, json=config.monitoring.json_logs)
    context = ServiceContext(config, SystemClock(), "cli")
    done = asyncio.run(run_job(context, spec(errors.print), "operator"))
    assert done is not None, "who asks is never turned away"
    print_rows([dict(done)], json=json)
