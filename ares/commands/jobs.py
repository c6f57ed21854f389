"""`ares job`: run and list scheduled jobs."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import SystemClock
from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.service import ServiceContext
from ares.service.jobs import run_job
from ares.service.registry import job, job_names
from ares.telemetry import configure_logging

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run and list scheduled jobs.")


@app.command("list")
def list_jobs(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Jobs with their cron expressions. Example: ares job list --json"""
    config = load_config()
    print_rows([{"job": name, "cron": job(name).cron(config)} for name in job_names()], json=json)


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A job; see `ares job list`.")],
    scheduled: Annotated[
        bool, typer.Option("--scheduled", help="Claim the current slot first: for cron and CronJobs.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a line, in the log too.")] = False,
) -> None:
    """Run a job now and record it. Example: ares job run train"""
    config = load_config()
    configure_logging(f"job-{name}", config.environment.log_level, json=json or config.monitoring.json_logs)
    context = ServiceContext(config, SystemClock(), f"job-{name}")
    outcome = asyncio.run(run_job(context, job(name), "schedule" if scheduled else "command"))
    if json and outcome is not None:
        print_rows([outcome], json=True)
        return
    console.print("slot already taken" if outcome is None else " ".join(f"{k}={v}" for k, v in outcome.items()))
