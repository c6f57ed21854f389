"""`ares backtest`: run a strategy over the past, and look at what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.commands.moments import moment_of
from ares.commands.output import cell_text, console, errors, print_rows
from ares.config import load_config
from ares.errors import UnknownName, UsageError
from ares.model.progress import Progress
from ares.store import Database, Param, Record, load_queries
from ares.telemetry import configure_logging

QUERIES = load_queries("backtest", "queries/backtests.sql")

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Strategies over the past: run, list, show.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@app.command()
def run(
    strategy: Annotated[str, typer.Argument(help="A strategy that has frozen signals: signal_momentum, or …_v1.")],
    *,
    from_: Annotated[str, typer.Option("--from", help="UTC: 2024-08-08 or 2024-08-08T06:30.")],
    to: Annotated[str, typer.Option("--to", help="UTC, exclusive.")],
    symbols: Annotated[str, typer.Option(help="BTC/USDT,ETH/USDT. Unset: all that it has signals of.")] = "",
    venue: Annotated[str | None, typer.Option(help="Unset: trading.venue.")] = None,
    tier: Annotated[Literal["exact", "fast"], typer.Option(help="The trader itself, or vectorised.")] = "exact",
    cash: Annotated[str, typer.Option(help="What the account begins with, in the quote currency.")] = "20000",
    position: Annotated[
        str | None, typer.Option(help="Size at target 1, in the quote currency. Unset: as trading.strategies says.")
    ] = None,
    latency_ms: Annotated[float, typer.Option(min=0, help="Of an order to the venue, and of its answer.")] = 50.0,
    half_spread_bps: Annotated[str, typer.Option(help="Best bid and ask lie so far from the last price.")] = "0.5",
    slippage_bps: Annotated[str, typer.Option(help="Who takes is served so much worse than the best.")] = "0",
    depth_share: Annotated[
        str | None, typer.Option(help="At once as much can be taken of what the last minute traded. Unset: all.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write an HTML page of the result here.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Even if the same was run before.")] = False,
    json: Json = False,
    progress_lines: Annotated[
        bool, typer.Option("--progress-lines", help="Say how far it is as lines of JSON, for programs.")
    ] = False,
) -> None:
    """Test a strategy. Example: ares backtest run signal_momentum --from 2024-08-01 --to 2024-08-08"""
    configure_logging("backtest", "error", json=False)
    from backtest.request import Request, Wishes, decimal_of  # noqa: PLC0415 - pyarrow takes time; help must not wait
    from backtest.running import Runner  # noqa: PLC0415 - as above, and the trader

    config = load_config()
    named = tuple(each.strip() for each in symbols.split(",") if each.strip())
    bounds = (moment_of("--from", from_), moment_of("--to", to))
    asked = Request(strategy, venue or config.trading.venue, named, *bounds)
    wishes = Wishes(
        tier=tier,
        cash=decimal_of("--cash", cash),
        position=None if position is None else decimal_of("--position", position),
        latency_s=latency_ms / 1_000,
        half_spread_bps=decimal_of("--half-spread-bps", half_spread_bps),
        slippage_bps=decimal_of("--slippage-bps", slippage_bps),
        depth_share=None if depth_share is None else decimal_of("--depth-share", depth_share),
    )
    with (said if progress_lines else shown)(*bounds) as stage:
        done = Runner(config, SystemClock(), stage).run(asked, wishes, report, again=again)
    _show([done.row], json=json)
    if done.cached and not json:
        console.print("The same rows, code and settings were run before: this is that result. --again runs them anew.")


@app.command("list")
def list_(json: Json = False) -> None:
    """The newest runs. Example: ares backtest list"""
    print_rows(_fetch("newest", {}), json=json)


@app.command()
def show(run_id: Annotated[str, typer.Argument(help="A run's id, or how it begins.")], json: Json = False) -> None:
    """All figures of a run. Example: ares backtest show 0198c1f2"""
    if not run_id or not run_id.replace("-", "").isalnum():
        raise UsageError(f"run_id = {run_id!r}: no id. `ares backtest list` shows them")
    found = _fetch("one", {"begins": f"{run_id}%"})
    if not found:
        raise UnknownName("run", run_id, [str(row["run_id"]) for row in _fetch("newest", {})])
    _show(found, json=json)


@contextmanager
def shown(from_ns: int, to_ns: int) -> Iterator[Callable[[str], Callable[[int], None]]]:
    """A bar on the terminal for each stage that is named, told up to which moment of the range it came."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=errors, transient=True) as progress:

        def stage(name: str) -> Callable[[int], None]:
            bar = progress.add_task(name, total=max(1, to_ns - from_ns) / NANOS_PER_SECOND)
            return lambda ns: progress.update(bar, completed=(ns - from_ns) / NANOS_PER_SECOND)

        yield stage


@contextmanager
def said(from_ns: int, to_ns: int) -> Iterator[Callable[[str], Callable[[int], None]]]:
    """The same on standard error, a line for each hundredth of a stage."""

    def stage(name: str) -> Callable[[int], None]:
        told = -1

        def reached(ns: int) -> None:
            nonlocal told
            percent = min(100, max(0, (ns - from_ns) * 100 // max(1, to_ns - from_ns)))
            if percent > told:
                told = percent
                errors.print(Progress(name, percent / 100).line(), soft_wrap=True)

        reached(from_ns)
        return reached

    yield stage


def _show(rows: Sequence[Record], *, json: bool) -> None:
    """One run: a figure a line for people."""
    if json:
        print_rows(rows, json=True)
        return
    for row in rows:
        lines = [{"figure": name, "value": cell_text(value)} for name, value in row.items() if value is not None]
        print_rows(lines, json=False)


def _fetch(query: str, params: dict[str, Param]) -> list[Record]:
    async def read() -> list[Record]:
        async with await Database.connect(load_config().database, readonly=True) as database:
            return await database.fetch(QUERIES[query], params)

    return asyncio.run(read())
