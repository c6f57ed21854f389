"""`ares maintenance`: say that you work on the platform; alarms and new risk wait."""

from __future__ import annotations

import getpass
import re
from typing import Annotated

import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.access import opened_control
from ares.commands.output import console, print_rows
from ares.errors import OperatingError, UsageError
from ares.service.maintenance import Maintenance

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Open, close and show a maintenance window.")

_DURATION = re.compile(r"(?P<number>\d+)(?P<unit>[smh])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600}
HOURS_MAX = 24

Why = Annotated[str, typer.Option(help="What is done; it stands in the audit chain.")]


@app.command()
def start(
    duration: Annotated[str, typer.Option("--for", help="How long: 90s, 30m, 2h; at most 24h.")],
    why: Why,
) -> None:
    """Open a window; it ends by itself. Example: ares maintenance start --for 30m --why "larger disk" """
    seconds = parsed(duration)
    with opened_control() as (_, control):
        window = Maintenance(control, SystemClock()).open(getpass.getuser(), why, seconds)
    console.print(f"open until {to_datetime(window.until_ns):%Y-%m-%d %H:%M:%S} UTC: {why}")


@app.command()
def stop(why: Why = "done") -> None:
    """Close the window before its time. Example: ares maintenance stop"""
    with opened_control() as (_, control):
        if not Maintenance(control, SystemClock()).close(getpass.getuser(), why):
            raise OperatingError("no maintenance window is open")
    console.print("closed")


@app.command()
def status(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """The window that is open, if any. Example: ares maintenance status"""
    with opened_control() as (_, control):
        window = Maintenance(control, SystemClock()).current()
    rows: list[dict[str, object]] = []
    if window is not None:
        since, until = to_datetime(window.since_ns), to_datetime(window.until_ns)
        rows.append({"since": since, "until": until, "who": window.who, "why": window.why})
    print_rows(rows, json=json)


def parsed(duration: str) -> int:
    """Seconds of a duration. Raises `UsageError`."""
    match = _DURATION.fullmatch(duration)
    seconds = int(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 0 < seconds <= HOURS_MAX * 3_600:
        raise UsageError(f"for = {duration!r}: not between 1s and {HOURS_MAX}h. Say for example --for 30m")
    return seconds
