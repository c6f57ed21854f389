"""`ares config`: what is set, whether it is right, what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import orjson
import typer

from ares.commands.output import console
from ares.config import AresConfig, load_config

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Show, validate and describe the configuration.")

File = Annotated[Path | None, typer.Option("--file", help="A TOML file over the profile's.")]
Profile = Annotated[str | None, typer.Option("--profile", help="dev, staging or prod.")]


@app.command()
def show(profile: Profile = None, file: File = None) -> None:
    """Print the effective settings, secrets hidden. Example: ares config show --profile prod"""
    console.print_json(load_config(profile, file).model_dump_json())


@app.command()
def validate(profile: Profile = None, file: File = None) -> None:
    """Check all layers; exit 2 names the first thing that is wrong. Example: ares config validate --file my.toml"""
    config = load_config(profile, file)
    console.print(f"valid: profile {config.environment.profile}, state in {config.environment.state_dir}")


@app.command()
def schema() -> None:
    """Print the JSON schema of all settings. Example: ares config schema > ares.schema.json"""
    console.print_json(orjson.dumps(AresConfig.model_json_schema()).decode())
