"""`ares backup`: copies of everything that cannot be made again, and the proof that they come back."""

from __future__ import annotations

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Copies of what cannot be made again, and the proof that they come back.",
)


@app.callback()
def root() -> None:
    """Copies of what cannot be made again, and the proof that they come back."""
