"""`ares data`: data from elsewhere, and what the stored data are worth."""

from __future__ import annotations

import typer

from ingest.imports.commands import import_
from ingest.quality_command import quality

app = typer.Typer(
    no_args_is_help=True, help="Data: from elsewhere, what they are worth, their versions and where they come from."
)


@app.callback()
def root() -> None:
    """Data from elsewhere, and what the stored data are worth."""


app.command("import")(import_)
app.command()(quality)
