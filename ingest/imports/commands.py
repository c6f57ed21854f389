"""`ares data import`: trades and candles from files."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress

from ares.clock import SystemClock
from ares.commands.output import console, errors, print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.resilience import Backoff
from ares.telemetry import configure_logging
from ingest.imports import LayoutName
from ingest.imports.influx_options import InfluxOptions

VENUE = re.compile(r"[a-z0-9][a-z0-9_.-]*")
SYMBOL = re.compile(r"[^\s/:]+/[^\s/:]+(:[^\s/:]+)?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be imported, and whose it is; `influx`: of points."""

    files: list[Path]
    layout: LayoutName | None
    venue: str
    symbol: str
    influx: InfluxOptions | None


def import_(
    *,
    venue: Annotated[str, typer.Option(help="Whose data these are, as in venue of every row.")],
    symbol: Annotated[str, typer.Option(help="As ccxt writes it: BTC/USDT, BTC/USDT:USDT.")],
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="CSV (also .gz, .zip), Parquet, feather, .lp.")
    ] = None,
    layout: Annotated[
        LayoutName | None, typer.Option(help="What the files are, where their columns do not say.")
    ] = None,
    influx: Annotated[str | None, typer.Option(help="An InfluxDB: http://host:8086. Token: INFLUX_TOKEN.")] = None,
    org: Annotated[str, typer.Option(help="Of the InfluxDB.")] = "",
    bucket: Annotated[str | None, typer.Option(help="Of the InfluxDB; of 1.8: database/policy.")] = None,
    measurement: Annotated[str | None, typer.Option(help="Points of an InfluxDB, asked or from a file.")] = None,
    maps: Annotated[list[str] | None, typer.Option("--map", help="ours=theirs: price=last, trade_id=id.")] = None,
    wheres: Annotated[list[str] | None, typer.Option("--where", help="tag=value of this symbol's points.")] = None,
    start: Annotated[datetime | None, typer.Option("--from", help="First time of points, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="Points end before this, UTC.")] = None,
    resolution: Annotated[Literal["ms", "us", "ns"], typer.Option(help="Of the venue's times.")] = "ms",
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Trades and one-minute candles. Example: ares data import x.csv --venue binance --symbol BTC/USDT"""
    if VENUE.fullmatch(venue) is None:
        raise UsageError(f"--venue = {venue!r}: not a venue's name. Write it as in the column venue, such as binance")
    if SYMBOL.fullmatch(symbol) is None:
        raise UsageError(f"--symbol = {symbol!r}: not a symbol. Write BASE/QUOTE as ccxt does, such as BTC/USDT")
    options = None
    if measurement is not None:
        options = InfluxOptions(influx, org, bucket, measurement, maps or (), wheres or (), start, end, resolution)
        layout = layout or "influx-trades"
    elif influx or maps or wheres or start or end or (layout or "").startswith("influx-"):
        raise UsageError("--measurement = None: which points are meant? Say it; the other options of InfluxDB need it")
    if not files and influx is None:
        raise UsageError("FILE = None: nothing to import. Name files, or an InfluxDB: --influx")
    configure_logging("data-import", "warning", json=False)
    clock = SystemClock()
    began_s = clock.monotonic_s()
    figures = _imported(load_config(), Wanted(files or [], layout, venue, symbol, options))
    seconds = max(1e-9, clock.monotonic_s() - began_s)
    print_rows(figures, json=json)
    rows = sum(int(str(each["rows"])) for each in figures)
    refused = sum(int(str(each["refused"])) for each in figures)
    if not json:
        console.print(f"{rows:,} rows in {seconds:.1f} s, {rows / seconds:,.0f} rows/s")
    if not rows:
        raise OperatingError("no row was found. Check what was asked for, --from and --to, and the names in --map")
    if rows == refused:
        raise OperatingError(f"none of {rows} rows could be taken. See why: table quarantine, channel 'import'")


def _imported(config: AresConfig, wanted: Wanted) -> list[Mapping[str, object]]:
    # pyarrow costs time; help need not wait
    from ingest.imports.importer import Order, import_files  # noqa: PLC0415 - see above
    from ingest.imports.influx_command import sources_of  # noqa: PLC0415 - see above

    settings, clock = config.ingest, SystemClock()
    order = Order(wanted.files, wanted.layout, wanted.venue, wanted.symbol)
    if wanted.influx is not None:
        sources = sources_of(wanted.influx, wanted.files, wanted.layout or "influx-trades", config, clock.now_ns())
        order = Order([], wanted.layout, wanted.venue, wanted.symbol, sources)
    backoff = Backoff(settings.backoff_s_min, settings.backoff_s_max, random.Random())  # noqa: S311 - jitter
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task(wanted.symbol, total=1.0)

        def report(share: float, rows: int) -> None:
            progress.update(bar, completed=share, description=f"{wanted.symbol} {rows:,} rows")

        return [asdict(each) for each in asyncio.run(import_files(config, order, clock, backoff, report))]
