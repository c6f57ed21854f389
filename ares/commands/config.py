"""`ares config`: what is set, whether it is right, what can be set, what changed, and changing it."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import orjson
import typer

from ares.clock import SystemClock, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, ConfigSource, load_config, overrides
from ares.config.load import Tree
from ares.config.secrets import AsWritten
from ares.control import ControlStore
from ares.errors import OperatingError
from ares.service import ServiceContext
from ares.service.config_versions import ConfigVersions
from ares.service.drift import ask_to_reload, drifts
from ares.service.errands.asker import asker

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show, validate, change and describe settings.")

File = Annotated[Path | None, typer.Option("--file", help="A TOML file over the profile's.")]
Profile = Annotated[str | None, typer.Option("--profile", help="dev, staging or prod.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept in the history.")]


@app.command()
def show(
    profile: Profile = None,
    file: File = None,
    only_overrides: Annotated[bool, typer.Option("--overrides", help="Only what was changed on this machine.")] = False,
) -> None:
    """Print the effective settings, secrets hidden. Example: ares config show --profile prod"""
    source = ConfigSource.of(profile, file)
    text = orjson.dumps(overrides.current(source)).decode() if only_overrides else source.load().model_dump_json()
    console.print_json(text)


@app.command()
def validate(profile: Profile = None, file: File = None) -> None:
    """Check all layers; exit 2 names the first thing that is wrong. Example: ares config validate --file my.toml"""
    config = load_config(profile, file)
    console.print(f"valid: profile {config.environment.profile}, state in {config.environment.state_dir}")


@app.command()
def schema() -> None:
    """Print the JSON schema of all settings. Example: ares config schema > ares.schema.json"""
    console.print_json(orjson.dumps(AresConfig.model_json_schema()).decode())


@app.command()
def diff(
    one: Annotated[str, typer.Argument(help="A profile: dev, staging or prod.")],
    other: Annotated[str, typer.Argument(help="Another one.")],
    file: File = None,
    json: AsJson = False,
) -> None:
    """What differs between two profiles. Example: ares config diff staging prod"""
    before, after = (_unguarded(profile, file) for profile in (one, other))
    rows = [
        {"setting": row["setting"], one: row["before"], other: row["after"]} for row in overrides.effect(before, after)
    ]
    print_rows(rows, json=json)


@app.command("set")
def set_one(
    field: Annotated[str, typer.Argument(help="A dotted path, as in docs/reference/config.md.")],
    value: Annotated[str, typer.Argument(help="As in TOML; text needs no quotes.")],
    why: Why,
    json: AsJson = False,
) -> None:
    """Change a setting on this machine. Example: ares config set trading.risk.price_collar 0.02 --why "thin market" """
    source = ConfigSource.of()
    before = source.load()
    after, tree = overrides.with_override(source, field, value)
    _keep(before, after, tree, ("set", why), json=json)


@app.command()
def unset(field: Annotated[str, typer.Argument(help="A dotted path that was set here.")], why: Why) -> None:
    """Let the files decide again. Example: ares config unset trading.risk.price_collar --why "back to normal" """
    source = ConfigSource.of()
    before = source.load()
    after, tree = overrides.without_override(source, field)
    _keep(before, after, tree, ("unset", why))


@app.command()
def rollback(
    version: Annotated[int, typer.Argument(help="See `ares config history`.")], why: Why, json: AsJson = False
) -> None:
    """Go back to the settings of a version, secrets excepted. Example: ares config rollback 3 --why "worse fills" """
    source = ConfigSource.of()
    before = source.load()
    control = _control(before)
    try:
        wanted = ConfigVersions(control, SystemClock(), "cli").get(version)
    finally:
        control.close()
    after, tree = overrides.overrides_towards(source, wanted.settings)
    _keep(before, after, tree, (f"rollback to {version}", why), json=json)


@app.command()
def history(
    rows: Annotated[int, typer.Option("--rows", min=1, help="How many of the newest.")] = 20, json: AsJson = False
) -> None:
    """Changes of the settings, refused ones included. Example: ares config history --rows 5"""
    control = _control(load_config())
    try:
        versions = ConfigVersions(control, SystemClock(), "cli").history()[-rows:]
    finally:
        control.close()
    print_rows(
        [
            {
                "version": each.version,
                "ts": to_datetime(each.ts_ns),
                "status": each.status,
                "cause": each.cause,
                "changed": each.error or ", ".join(str(change["field"]) for change in each.changes),
                "why": each.why,
                "instance": each.instance,
            }
            for each in versions
        ],
        json=json,
    )


@app.command()
def reload() -> None:
    """Ask every service that runs here to read the files now. Example: ares config reload"""
    names = ask_to_reload(load_config())
    console.print(f"asked {', '.join(names)}" if names else "no service runs here")


@app.command()
def drift(json: AsJson = False) -> None:
    """Whether the services that run here work by the files as they are; exit 1 if not. Example: ares config drift"""
    found = drifts(load_config())
    print_rows(
        [{"service": d.service, "pid": d.pid, "state": d.state, "waiting": ", ".join(d.waiting)} for d in found],
        json=json,
    )
    behind = [each.service for each in found if each.state != "in_step"]
    if behind:
        raise OperatingError(f"not in step with the files: {', '.join(behind)}. Restart them, or see their logs")


def _unguarded(profile: str, file: Path | None) -> AresConfig:
    """A profile as it is written: here and now, without the secrets that its own place provides."""
    source = ConfigSource.of(profile, file)
    stand_in = {f"ARES_DATABASE__{name}": "(unset here)" for name in ("PASSWORD", "READONLY_PASSWORD")}
    return ConfigSource(source.profile, source.directory, source.file, stand_in, AsWritten()).load({})


def _keep(before: AresConfig, after: AresConfig, tree: Tree, cause: tuple[str, str], *, json: bool = False) -> None:
    """Record first, then write: services that see the file find that its version is known."""
    who = asker(ServiceContext(before, SystemClock(), "cli"))
    control = _control(before)
    try:
        versions = ConfigVersions(control, SystemClock(), f"cli/{getpass.getuser()}" if who is None else f"api/{who}")
        versions.changed(before, "found")
        versions.changed(after, *cause)
    finally:
        control.close()
    path = overrides.write(after, tree)
    print_rows(overrides.effect(before, after), json=json)
    if not json:
        console.print(f"written to {path}")


def _control(config: AresConfig) -> ControlStore:
    context = ServiceContext(config, SystemClock(), "cli")
    context.state_dir.mkdir(parents=True, exist_ok=True)
    return ControlStore.open(context.control_url)
