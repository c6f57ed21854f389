"""`ares ops …`: what watches Ares."""

from __future__ import annotations

import asyncio

import typer

from alerting.ops import lay_files, run_ops, write_targets
from ares.commands.output import console
from ares.config import load_config
from ares.errors import AresError
from ares.service.installation import stop_on_signals

app = typer.Typer(no_args_is_help=True, help="Prometheus, Alertmanager and Grafana beside Ares.")


def _say(line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False)


@app.command()
def up() -> None:
    """Run them until Ctrl-C, with the project's rules, routes and boards. Example: ares ops up"""
    asyncio.run(_up())


@app.command()
def targets() -> None:
    """Write the list of services that Prometheus looks at. Example: ares ops targets"""
    for line in write_targets(load_config()):
        _say(line)


@app.command()
def files() -> None:
    """Put rules, routes and the receiver's token where the programs read them. Example: ares ops files"""
    _say(str(lay_files(load_config())))


async def _up() -> None:
    stopping = stop_on_signals()
    stopping.listen()
    try:
        await run_ops(load_config(), _say, stopping)
    except* AresError as group:
        # Of several that failed at once the first says enough.
        raise group.exceptions[0] from None
