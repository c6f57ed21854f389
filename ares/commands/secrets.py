"""`ares secrets`: does every reference lead to a secret? The secrets themselves are never shown."""

from __future__ import annotations

import getpass
import sys
from typing import Annotated

import typer

from ares.commands.output import console, print_rows
from ares.config import ConfigSource
from ares.config.secrets import AsWritten, SecretProblem, SecretReader, references
from ares.errors import ConfigError, OperatingError, UsageError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Check where secrets come from; encrypt one.")


@app.command()
def check(json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False) -> None:
    """Follow every reference of the settings; exit 1 if one leads nowhere. Example: ares secrets check"""
    source = ConfigSource.of()
    written = ConfigSource(source.profile, source.directory, source.file, source.environ, AsWritten()).load()
    there = dict(references(written))
    problem = failed = ""
    try:
        source.load()
    except ConfigError as error:
        problem = str(error)
        failed = error.field
    rows = [
        {"setting": field, "reference": reference, "state": "fails" if problem and field == failed else "follows"}
        for field, reference in there.items()
    ]
    print_rows(rows, json=json)
    if problem:
        raise OperatingError(problem)


@app.command()
def encrypt(
    key: Annotated[str, typer.Argument(help="A key of Vault's transit engine.")],
) -> None:
    """Read a secret (asked for, or from standard input) and print a reference. Example: ares secrets encrypt venues"""
    from ares.security.secrets.transit import transit_secrets  # noqa: PLC0415 - heavy, and only this command needs it

    secret = getpass.getpass("secret: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise UsageError("secret = '': nothing to encrypt. Type it, or pipe it in")
    source = ConfigSource.of()
    written = ConfigSource(source.profile, source.directory, source.file, source.environ, AsWritten()).load()
    try:
        settings = SecretReader(source.environ).own(written.secrets)
        console.print(transit_secrets(settings).encrypt(key, secret), soft_wrap=True)
    except SecretProblem as error:
        raise OperatingError(f"{error.problem}. {error.way_out}") from None
