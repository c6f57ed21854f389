"""`ares data`: what the stored data are worth."""

from __future__ import annotations

import typer

from ingest.quality_command import quality

app = typer.Typer(no_args_is_help=True, help="What the stored data are worth.")


@app.callback()
def root() -> None:
    """What the stored data are worth."""


app.command()(quality)
