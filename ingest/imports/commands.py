"""`ares data import`: trades and candles from files."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from ares.clock import SystemClock
from ares.commands.output import console, errors, print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.resilience import Backoff
from ares.telemetry import configure_logging
from ingest.imports import LayoutName

VENUE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
SYMBOL = re.compile(r"[^\s/:]+/[^\s/:]+(:[^\s/:]+)?")


def import_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV (also .gz, .zip), Parquet, feather.")],
    venue: Annotated[str, typer.Option(help="Whose data these are, as in venue of every row.")],
    symbol: Annotated[str, typer.Option(help="As ccxt writes it: BTC/USDT, BTC/USDT:USDT.")],
    layout: Annotated[
        LayoutName | None, typer.Option(help="What the files are, where their columns do not say.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Trades and one-minute candles from files. Example: ares data import x.csv --venue binance --symbol BTC/USDT"""
    if VENUE.fullmatch(venue) is None:
        raise UsageError(f"--venue = {venue!r}: not a venue's name. Write it as in the column venue, such as binance")
    if SYMBOL.fullmatch(symbol) is None:
        raise UsageError(f"--symbol = {symbol!r}: not a symbol. Write BASE/QUOTE as ccxt does, such as BTC/USDT")
    configure_logging("data-import", "warning", json=False)
    clock = SystemClock()
    began_s = clock.monotonic_s()
    figures = _imported(load_config(), files, layout, (venue, symbol))
    seconds = max(1e-9, clock.monotonic_s() - began_s)
    print_rows(figures, json=json)
    rows = sum(int(str(each["rows"])) for each in figures)
    refused = sum(int(str(each["refused"])) for each in figures)
    if not json:
        console.print(f"{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} rows/s")
    if rows == refused:
        raise OperatingError(f"none of {rows} rows could be taken. See why: table quarantine, channel 'import'")


def _imported(
    config: AresConfig, files: list[Path], layout: LayoutName | None, whose: tuple[str, str]
) -> list[Mapping[str, object]]:
    from ingest.imports.importer import Order, import_files  # noqa: PLC0415 - pyarrow costs time; help need not wait

    settings = config.ingest
    backoff = Backoff(settings.backoff_s_min, settings.backoff_s_max, random.Random())  # noqa: S311 - jitter
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task(files[0].name, total=1.0)

        def report(share: float, rows: int) -> None:
            progress.update(bar, completed=share, description=f"{whose[1]} {rows:,} rows")

        order = Order(files, layout, *whose)
        return [asdict(each) for each in asyncio.run(import_files(config, order, SystemClock(), backoff, report))]
