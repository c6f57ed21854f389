"""`ares backtest parity`: whether a day, replayed, comes to what was decided live."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import DAY_NS, SystemClock, floor_ns, isoformat
from ares.commands.moments import moment_of
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.store import Database, Record
from ares.telemetry import configure_logging

parity_app = typer.Typer(add_completion=False)


@parity_app.command("parity")
def parity(
    day: Annotated[str, typer.Option(help="UTC, like 2026-11-27. Unset: yesterday.")] = "",
    show: Annotated[bool, typer.Option("--show", help="Only what was compared before.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Replay a day and compare, decision by decision. Example: ares backtest parity --day 2026-11-27"""
    config, clock = load_config(), SystemClock()
    day_ns = floor_ns(moment_of("--day", day) if day else clock.now_ns() - DAY_NS, DAY_NS)
    if day_ns + DAY_NS > clock.now_ns():
        raise UsageError(f"--day = {isoformat(day_ns)[:10]!r}: it is not over yet. Compare it tomorrow")
    failed: tuple[str, ...] = ()
    if not show:
        configure_logging("parity", "error", json=False)
        from backtest.parity.job import compare_day  # noqa: PLC0415 - imports the trader; help must not wait

        failed = tuple(asyncio.run(compare_day(config, clock, day_ns)).failed)
    rows = asyncio.run(_summary(config, day_ns))
    print_rows(rows, json=json)
    if failed:
        raise OperatingError(f"not replayed: {'; '.join(failed)}")
    if not rows:
        raise OperatingError(f"nothing was decided on {isoformat(day_ns)[:10]}, or it was not compared yet")
    if not json:
        console.print("Each signal: SELECT * FROM parity WHERE NOT equal ORDER BY ts")


async def _summary(config: AresConfig, day_ns: int) -> list[Record]:
    from backtest.parity.reading import DayReader  # noqa: PLC0415 - as above

    async with await Database.connect(config.database, readonly=True) as database:
        return await DayReader(config, database, day_ns).summary()
