"""`ares data catalog`: what is stored, and how much of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from analytics.coverage import Line, coverage
from analytics.coverage_svg import svg_of
from ares.clock import DAY_NS, SystemClock, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.store import Database

DAYS_MAX = 366

catalog_app = typer.Typer(add_completion=False)


@catalog_app.command("catalog")
def catalog(
    symbol: Annotated[str | None, typer.Option(help="Only this one, like BTC/USDT.")] = None,
    days: Annotated[int, typer.Option(help="So many days back, today included.")] = 7,
    svg: Annotated[Path | None, typer.Option(help="Draw the shares of minutes into this file, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """What is stored by table, symbol and day, with gaps and shares of minutes. Example: ares data catalog --days 3"""
    if not 1 <= days <= DAYS_MAX:
        raise UsageError(f"days = {days}: not between 1 and {DAYS_MAX}. Ask for less at a time")
    lines = asyncio.run(_read(load_config(), symbol, days))
    if symbol is not None and not lines:
        raise OperatingError(f"nothing of {symbol} is stored in the last {days} days. What is: ares data catalog")
    print_rows(lines, json=json)
    if svg is not None:
        write_drawing(svg, lines)
        if not json:
            console.print(f"drawn: {svg}", soft_wrap=True)


async def _read(config: AresConfig, symbol: str | None, days: int) -> list[Line]:
    now_ns = SystemClock().now_ns()
    async with await Database.connect(config.database, readonly=True) as database:
        return await coverage(database, now_ns - (days - 1) * DAY_NS, now_ns, symbol)


def write_drawing(path: Path, lines: list[Line]) -> None:
    """The drawing as a file of its own. Raises `UsageError` if it cannot be written."""
    title = f"Coverage by symbol and day, {to_datetime(SystemClock().now_ns()):%Y-%m-%d %H:%M} UTC"
    trades = [line for line in lines if line["table"] == "trades"]
    try:
        path.write_text(svg_of(trades, title), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"svg = {path}: {error.strerror}. Name a file in a folder that you may write") from None
