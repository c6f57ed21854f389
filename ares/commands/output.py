"""How commands talk: tables and lines for people, JSON for programs, one line for an error."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NoReturn

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ares.errors import AresError

console = Console(highlight=False)
errors = Console(stderr=True, highlight=False)


def fail(error: AresError) -> NoReturn:
    """Print one line and end with the error's exit code."""
    errors.print(Text("error: ", style="red") + Text(" ".join(str(error).split()), style="default"), soft_wrap=True)
    sys.exit(error.exit_code)


def print_rows(rows: Sequence[Mapping[str, object]], *, json: bool, title: str | None = None) -> None:
    """Rows as a table, or as a JSON list."""
    if json:
        console.print_json(orjson.dumps([dict(row) for row in rows], default=str).decode())
        return
    if not rows:
        console.print("(no rows)")
        return
    table = Table(title=title, title_justify="left")
    for name in rows[0]:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(cell_text(value) for value in row.values()))
    console.print(table)


def cell_text(value: object) -> str:
    """A cell for people: NULL is empty, times are UTC, floats keep ten digits."""
    match value:
        case None:
            return ""
        case datetime():
            return value.isoformat(sep=" ", timespec="milliseconds")
        case float():
            return f"{value:.10g}"
        case Decimal():
            return f"{value.normalize():f}"
        case _:
            return str(value)
