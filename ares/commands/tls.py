"""`ares tls`: certificates of the TLS proxy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import OperatingError, UsageError
from ares.security.tls import presented
from ares.security.tls.authority import issue

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Certificates of the TLS proxy.")


@app.command()
def certificate(
    folder: Annotated[Path, typer.Argument(help="Where the files are written.")],
    host: Annotated[list[str] | None, typer.Option(help="A name or address of the server; may be repeated.")] = None,
    days: Annotated[int, typer.Option(min=1, max=825, help="How long it is valid.")] = 90,
) -> None:
    """Make a certificate for dev, or renew it. Example: ares tls certificate var/tls --host localhost"""
    if load_config().environment.profile == "prod":
        raise UsageError("ARES_PROFILE = 'prod': take certificates from an authority that others trust, Vault's say")
    hosts = host or ["localhost", "127.0.0.1"]
    authority, cert_file, key_file = issue(folder.absolute(), hosts, days, to_datetime(SystemClock().now_ns()))
    console.print(f'[tls]\ncert_file = "{cert_file}"\nkey_file = "{key_file}"', markup=False, soft_wrap=True)
    console.print(
        f'\n# and for those who connect\n[database]\ntls = "verified"\ntls_ca_file = "{authority}"',
        markup=False,
        soft_wrap=True,
    )


@app.command()
def show(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """The certificate that the configured QuestDB shows, true or not. Example: ares tls show"""
    database = load_config().database
    found = presented(database.host, database.health_port)
    if found is None:
        raise OperatingError(
            f"database.health_port = {database.health_port}: nobody at {database.host} speaks TLS there. "
            "Start the proxy (`ares service run tls`), or set the ports of `[tls]` as those of `[database]`"
        )
    row = {"names": " ".join(found.names), "valid_from": found.valid_from, "valid_until": found.valid_until}
    print_rows([row | {"sha256": found.fingerprint}], json=json)
