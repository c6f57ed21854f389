"""`ares ingest backfill` and `ares ingest heal`: more of the past, and what is missing of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from ares.clock import SystemClock
from ares.commands.moments import moment_of
from ares.commands.output import console, errors, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UnknownSymbol, UsageError
from ares.telemetry import configure_logging
from ingest.past import Report, Window

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Symbols = Annotated[list[str] | None, typer.Option("--symbol", help="Of ingest.symbols; may be repeated. Unset: all.")]

HOURS_MAX = 24 * 365


def backfill(  # noqa: PLR0917 - typer calls it by name
    symbol: Symbols = None,
    hours: Annotated[float | None, typer.Option(help="How far back from now; needs one --symbol.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="UTC: 2024-08-08 or 2024-08-08T06:30.")] = None,
    to: Annotated[str | None, typer.Option("--to", help="UTC, exclusive. Unset: until now.")] = None,
    what: Annotated[Literal["trades", "bars", "all"], typer.Option(help="Of a range.")] = "all",
    json: Json = False,
) -> None:
    """Fetch more of the past. Example: ares ingest backfill --from 2024-08-08 --to 2024-08-09 --what trades"""
    config = load_config()
    symbols = chosen(config, symbol)
    if (hours is None) == (from_ is None):
        raise UsageError("--hours or --from: name one of them, such as --from 2024-08-08 --to 2024-08-09")
    configure_logging("ingest-backfill", "warning", json=False)
    if from_ is not None:
        print_rows(fetch_range_shown(config, symbols, (from_, to), what), json=json)
    elif len(symbols) != 1 or to is not None:
        raise UsageError("--hours: takes one --symbol and no --to. For all symbols or a range take --from")
    else:
        fetch_hours(config, symbols[0], hours or 0.0, json=json)


def heal(
    symbol: Symbols = None,
    gap: Annotated[str | None, typer.Option(help="One gap, by the gap_id of `ares ingest gaps`.")] = None,
    json: Json = False,
) -> None:
    """Ask the venue again for trades that are missing. Example: ares ingest heal --symbol BTC/USDT"""
    config = load_config()
    symbols = chosen(config, symbol)
    from ingest.fetching import heal_gaps  # noqa: PLC0415 - importing ccxt takes seconds; help need not wait for it

    configure_logging("ingest-heal", "warning", json=False)
    with shown() as report_of:
        rows = asyncio.run(heal_gaps(config, symbols, gap, SystemClock(), report_of))
    print_rows(rows, json=json)


def chosen(config: AresConfig, symbols: Sequence[str] | None) -> list[str]:
    """The symbols that were named, or all that are configured. Raises `UnknownSymbol`."""
    known = config.ingest.symbols
    for symbol in symbols or ():
        if symbol not in known:
            raise UnknownSymbol(config.ingest.venue, symbol, sorted(known))
    return list(dict.fromkeys(symbols or known))


def fetch_range_shown(
    config: AresConfig, symbols: Sequence[str], bounds: tuple[str, str | None], what: Literal["trades", "bars", "all"]
) -> list[dict[str, object]]:
    """Fetch a range with its progress on the terminal; a row for each symbol and kind."""
    clock = SystemClock()
    to_moment = None if bounds[1] is None else moment_of("--to", bounds[1])
    window = Window.checked(moment_of("--from", bounds[0]), to_moment, clock.now_ns())
    from ingest.fetching import Order, fetch_range  # noqa: PLC0415 - as above

    with shown() as report_of:
        return [{**row} for row in asyncio.run(fetch_range(config, Order(symbols, what, window), clock, report_of))]


def fetch_hours(config: AresConfig, symbol: str, hours: float, *, json: bool) -> None:
    """Extend what is stored of a symbol, newest first. Raises `UsageError`."""
    if not 0 < hours <= HOURS_MAX:
        raise UsageError(f"hours = {hours}: not between 0 and {HOURS_MAX}. Ask for less")
    from ingest.asking import fetch_past  # noqa: PLC0415 - as above

    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task(symbol, total=1.0)

        def report(name: str, trades: int, share: float) -> None:
            progress.update(bar, completed=share, description=f"{name} {trades:,} trades")

        trades, bars = asyncio.run(fetch_past(config, symbol, hours, report))
    if json:
        print_rows([{"symbol": symbol, "trades": trades, "bars": bars}], json=True)
    else:
        console.print(f"{symbol}: {trades} trades and {bars} candles fetched")


class Rate(ProgressColumn):
    """Rows a second of late."""

    def render(self, task: Task) -> Text:
        """Called by rich."""
        return Text("" if task.speed is None else f"{task.speed:,.0f} rows/s")


@contextmanager
def shown() -> Iterator[Callable[[str], Report]]:
    """Bars on the terminal, one for each task that is named."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), Rate(), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:

        def report_of(name: str) -> Report:
            bar = progress.add_task(name, total=None)
            return lambda done, total: progress.update(bar, completed=done, total=total)

        yield report_of
