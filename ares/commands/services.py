"""`ares up`, `ares status`, `ares service`: processes."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Annotated

import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, ConfigSource, load_config
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.service.directory import HeartbeatRegistry, Instance
from ares.service.installation import Installation, service_states, stop_on_signals
from ares.service.logrows import logged_as_rows
from ares.service.registry import service, service_names
from ares.service.runner import RunOptions, named, run_service
from ares.service.types import color_named
from ares.store import Database
from ares.telemetry import configure_logging

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Run single services.")
up_app = typer.Typer(add_completion=False)
status_app = typer.Typer(add_completion=False)
services_app = typer.Typer(add_completion=False)

PRODUCTION = ("mirror", "ingest", "analytics", "trader")


@app.command()
def run(
    name: Annotated[str, typer.Argument(help="A service; see `ares service list`.")],
    port: Annotated[int, typer.Option(help="Where to serve /livez, /readyz and /metrics; 0 takes any.")] = 0,
    held: Annotated[bool, typer.Option("--held", help="Begin only when standard input is closed.")] = False,
    color: Annotated[str, typer.Option(help="Tells it from another one beside it: green. See ares deploy.")] = "",
) -> None:
    """Run one service in the foreground, as a container does. Example: ares service run ingest --port 9101"""
    spec = service(name)
    if color and not spec.colored:
        raise UsageError(f"color = {color!r}: of {name} only one may run here. Leave it out")
    if color:
        color_named("color", color)
    source = ConfigSource.of()
    config = source.load()
    configure_logging(name, config.environment.log_level, json=config.monitoring.json_logs)
    instance = f"{named(name, color)}@{socket.gethostname()}:{os.getpid()}"
    context = ServiceContext(config, SystemClock(), instance, color)
    with logged_as_rows(name, context):
        asyncio.run(run_service(spec, context, RunOptions(port, held, source)))


@app.command("list")
def list_services(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Services that the installed packages offer. Example: ares service list"""
    specs = [service(name) for name in service_names()]
    print_rows([{"service": s.name, "depends_on": ", ".join(s.depends_on)} for s in specs], json=json)


@up_app.command()
def up(
    with_exchange: Annotated[
        bool, typer.Option("--with-exchange", help="Also run the simulated exchange (paper trading on one machine).")
    ] = False,
) -> None:
    """Run everything on this machine, one process per service, until Ctrl-C. Example: ares up --with-exchange"""
    source = ConfigSource.of()
    config = source.load()
    configure_logging("supervisor", config.environment.log_level, json=config.monitoring.json_logs)
    names = [*(["exchange"] if with_exchange else []), *PRODUCTION, *optional_services(config)]
    asyncio.run(_up(source, config, names))


def optional_services(config: AresConfig) -> list[str]:
    """Services that these settings ask for, beside those that always run."""
    optional = {
        "tls": bool(config.tls.cert_file),
        "influx": bool(config.influx.url),
        "api": config.api.enabled,
        "errands": config.api.enabled,
        "notifier": config.notifications.enabled,
        "backup": config.backup.repository is not None,
        "ingest-sink": config.ingest.transport == "kafka",
    }
    return [name for name, configured in optional.items() if configured]


async def _up(source: ConfigSource, config: AresConfig, names: list[str]) -> None:
    installation = Installation(config, names, console.print, source)
    stopping = stop_on_signals()
    async with installation.running():
        stopping.listen()
        await stopping.wait()


@services_app.command()
def services(
    offers: Annotated[str | None, typer.Option(help="Only ready ones with this capability, venue-feed say.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE that the capability must have.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Who runs, on every machine, by heartbeats. Example: ares services --offers venue-feed --label venue=sim"""
    labels = dict(_pair(text) for text in label or [])
    found = asyncio.run(_instances(load_config(), offers, labels))
    print_rows([_instance_row(each) for each in found], json=json)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"label = {text!r}: not NAME=VALUE. Write for example --label venue=sim")
    return name, value


async def _instances(config: AresConfig, capability: str | None, labels: dict[str, str]) -> list[Instance]:
    async with await Database.connect(config.database, readonly=True) as database:
        registry = HeartbeatRegistry(database, SystemClock(), config.monitoring.heartbeat_s)
        return await (registry.instances() if capability is None else registry.find(capability, **labels))


def _instance_row(each: Instance) -> dict[str, object]:
    offers = [f"{c.name}({', '.join(f'{k}={v}' for k, v in c.labels.items())})" for c in each.capabilities]
    return {
        "service": each.service,
        "state": each.state,
        "host": each.host,
        "port": each.port,
        "pid": each.pid,
        "version": each.version,
        "seen": to_datetime(each.seen_at_ns),
        "offers": " ".join(offers),
        "detail": each.detail,
    }


@status_app.command()
def status(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """What runs here now, by its own probes. Example: ares status --json"""
    print_rows(service_states(load_config()), json=json)
