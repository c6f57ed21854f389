"""The one command line: `ares <noun> <verb>`; each package brings its own nouns (entry-point group `ares.commands`)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from importlib import import_module, metadata

import typer
from typer._click.core import Command, Context
from typer._click.exceptions import ClickException, NoArgsIsHelpError
from typer.core import TyperGroup

from ares import __version__
from ares.commands.output import console, fail
from ares.errors import AresError, UsageError

COMMANDS_GROUP = "ares.commands"

KERNEL_COMMANDS = {
    "audit": "ares.commands.audit:app",
    "config": "ares.commands.config:app",
    "db": "ares.commands.db:app",
    "demo": "ares.commands.demo:app",
    "doctor": "ares.commands.doctor:app",
    "events": "ares.commands.events:app",
    "job": "ares.commands.jobs:app",
    "maintenance": "ares.commands.maintenance:app",
    "profile": "ares.commands.profile:app",
    "secrets": "ares.commands.secrets:app",
    "service": "ares.commands.services:app",
    "services": "ares.commands.services:services_app",
    "status": "ares.commands.services:status_app",
    "support-bundle": "ares.commands.support:app",
    "tls": "ares.commands.tls:app",
    "trace": "ares.commands.trace:app",
    "up": "ares.commands.services:up_app",
    "user": "ares.commands.user:app",
}
INTERRUPTED_EXIT_CODE = 130


class LazyGroup(TyperGroup):
    """Imports a command only when it is asked for: `ares config` must not wait for ccxt."""

    def list_commands(self, ctx: Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *command_paths()})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        path = command_paths().get(cmd_name)
        if path is None:
            return super().get_command(ctx, cmd_name)
        command = load_command(cmd_name, path)
        added = command_paths(cmd_name)
        return SharedGroup(command, added) if added and isinstance(command, TyperGroup) else command


class SharedGroup(TyperGroup):
    """A noun whose verbs come from several packages, each imported only when it is asked for."""

    def __init__(self, own: TyperGroup, added: Mapping[str, str]) -> None:
        super().__init__(
            name=own.name,
            commands=dict(own.commands),
            callback=own.callback,
            params=own.params,
            help=own.help,
            no_args_is_help=own.no_args_is_help,
        )
        self._added = added

    def list_commands(self, ctx: Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self._added})

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        path = self._added.get(cmd_name)
        return super().get_command(ctx, cmd_name) if path is None else load_command(cmd_name, path)


def load_command(name: str, path: str) -> Command:
    """Import a command."""
    module, _, attribute = path.partition(":")
    command = typer.main.get_command(getattr(import_module(module), attribute))
    command.name = name
    return command


def command_paths(noun: str = "") -> dict[str, str]:
    """Every noun with the module and attribute that hold it; the verbs that packages add to a `noun` of another.

    An entry point "data.retention" is the verb `retention` of the noun `data`.
    """
    points = {point.name: point.value for point in metadata.entry_points(group=COMMANDS_GROUP)}
    if noun:
        prefix = f"{noun}."
        return {name.removeprefix(prefix): path for name, path in points.items() if name.startswith(prefix)}
    return KERNEL_COMMANDS | {name: path for name, path in points.items() if "." not in name}


app = typer.Typer(
    name="ares",
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Ares: everything that happens is a row, everything derived is a view, everything operated is code.",
)


@app.callback()
def root() -> None:
    """Ares: everything that happens is a row, everything derived is a view, everything operated is code."""


@app.command("version")
def version() -> None:
    """Print the version. Example: ares version"""
    console.print(__version__)


def main() -> None:
    """Run the command line; an error of ours becomes one line and its exit code, never a traceback."""
    try:
        code = typer.main.get_command(app).main(prog_name="ares", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except AresError as error:
        fail(error)
    except NoArgsIsHelpError as help_wanted:
        help_wanted.show()
        sys.exit(UsageError.exit_code)
    except ClickException as error:
        fail(UsageError(f"{error.format_message()} See `{_help_of(error)}`"))
    except (typer.Abort, KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(INTERRUPTED_EXIT_CODE)
    except ExceptionGroup as group:
        ours, rest = group.split(AresError)
        if rest is not None or ours is None:
            raise
        fail(first_leaf(ours))


def _help_of(error: ClickException) -> str:
    context = getattr(error, "ctx", None)
    return f"{context.command_path if isinstance(context, Context) else 'ares'} --help"


def first_leaf(group: ExceptionGroup[AresError]) -> AresError:
    """The first error of a group of them, however deep."""
    first = group.exceptions[0]
    return first_leaf(first) if isinstance(first, ExceptionGroup) else first


if __name__ == "__main__":
    main()
