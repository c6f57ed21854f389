"""`ares ingest replay`: captured frames into the store again."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.progress import Progress

from ares.clock import SystemClock, isoformat
from ares.commands.output import console, errors, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UsageError
from ares.resilience import Backoff
from ares.telemetry import configure_logging
from ingest.imports.commands import SYMBOL, VENUE

if TYPE_CHECKING:
    from ingest.replay.moments import Span
    from ingest.replay.replaying import Order, Outcome

FASTEST = "max"
INTERRUPTED = 130
"""The exit code of what ended by Ctrl-C, as shells have it."""


def replay(
    what: Annotated[
        list[str], typer.Argument(metavar="FILE|FOLDER|RANGE...", help="Segments, folders of them, or A..B in UTC.")
    ],
    *,
    speed: Annotated[str, typer.Option(help="1 is the pace at which it came, 10 is ten times that.")] = FASTEST,
    venue: Annotated[str | None, typer.Option(help="The venue of the rows. Otherwise as captured.")] = None,
    symbol: Annotated[
        list[str] | None, typer.Option(help="For captures of others: BTCUSDT=BTC/USDT, once for each.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and decode; ask and write nothing.")] = False,
    skip_damaged: Annotated[bool, typer.Option("--skip-damaged", help="Go on behind what cannot be read.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """Feed captured frames through decoders, validation and books into the store.

    What is stored stays as it is. Example: ares ingest replay 2026-03-01T12:00..2026-03-01T13:00 --venue binance
    """
    from ingest.replay.replaying import Order  # noqa: PLC0415 - importing ccxt takes seconds; help need not wait

    configure_logging("ingest-replay", "error", json=False)
    config = load_config()
    if venue is not None and VENUE.fullmatch(venue) is None:
        raise UsageError(f"--venue = {venue!r}: not a venue's name. Write it as in the column venue, such as binance")
    symbols = dict(symbol_of(text) for text in symbol or ())
    pace = speed_of(speed)
    files, span = resolved(config, what, venue)
    order = Order(files, span, pace, venue, symbols, skip_damaged, dry_run)
    outcome = replayed(config, order)
    say(outcome, json=json)
    if outcome.interrupted_at_ns is not None:
        raise typer.Exit(INTERRUPTED)


def resolved(config: AresConfig, what: Sequence[str], venue: str | None) -> tuple[Sequence[Path], Span]:
    """The files that are meant, and of what time. Raises `UsageError`."""
    from ingest.capturing import FOLDER  # noqa: PLC0415 - as above
    from ingest.replay.moments import EVER, segments_of, span_of  # noqa: PLC0415 - as above
    from ingest.replay.reading import files_of  # noqa: PLC0415 - as above

    span = span_of(what[0])
    if span is None:
        return files_of([Path(text) for text in what]), EVER
    folder = config.environment.state_dir / FOLDER / (venue or config.ingest.venue)
    if len(what) > 1:
        return files_of([Path(text) for text in what[1:]]), span
    return segments_of(folder, span), span


def replayed(config: AresConfig, order: Order) -> Outcome:
    """Replay with a progress bar; Ctrl-C ends in order."""
    from ingest.replay.replaying import Replay  # noqa: PLC0415 - as above

    settings = config.ingest
    backoff = Backoff(settings.backoff_s_min, settings.backoff_s_max, random.Random())  # noqa: S311 - jitter
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("replay", total=1.0)

        def report(share: float, frames: int) -> None:
            progress.update(bar, completed=share, description=f"{frames:,} frames")

        task = Replay(config, order, SystemClock(), report)

        async def run() -> Outcome:
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.stop.set)
            return await task.run(backoff)

        return asyncio.run(run())


def say(outcome: Outcome, *, json: bool) -> None:
    """What was read and what became of it."""
    if json:
        console.print_json(orjson.dumps(asdict(outcome)).decode())
        return
    print_rows([asdict(each) for each in outcome.tables], json=False)
    console.print(f"{outcome.frames:,} frames of {outcome.files} files as {outcome.venue}")
    notes: Mapping[str, object] = {
        "frames that the capture lost": outcome.lost,
        "frames of streams that are not collected": outcome.other,
        "symbols that were not named, left out": ", ".join(outcome.unknown_symbols),
    }
    for text, value in notes.items():
        if value:
            console.print(f"{text}: {value}")
    for each in outcome.damaged:
        end = "its end" if each.end is None else f"byte {each.end}"
        console.print(f"{each.file}: not whole from byte {each.start} to {end}")
    if outcome.interrupted_at_ns is not None:
        console.print(f"interrupted at {isoformat(outcome.interrupted_at_ns)}: start again to go on")


def speed_of(text: str) -> float | None:
    """A speed; None for the greatest. Raises `UsageError`."""
    if text == FASTEST:
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise UsageError(f"--speed = {text!r}: neither a number above 0 nor {FASTEST!r}. Write 1, 10 or {FASTEST}")
    return speed


def symbol_of(text: str) -> tuple[str, str]:
    """The venue's symbol and ours. Raises `UsageError`."""
    theirs, _, ours = text.partition("=")
    if not theirs or SYMBOL.fullmatch(ours) is None:
        raise UsageError(f"--symbol = {text!r}: write the venue's name and ours, such as BTCUSDT=BTC/USDT")
    return theirs, ours
