"""`ares simulate`: the exchange from the command line."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from ares.clock import NANOS_PER_SECOND, SystemClock, to_ns
from ares.commands.output import console
from ares.config import AresConfig, load_config
from ares.errors import ConfigError
from ares.telemetry import configure_logging
from simulator.exchange import Exchange, ExchangeOptions
from simulator.misbehaviour import parse_rates
from simulator.service import options_of

app = typer.Typer(add_completion=False, no_args_is_help=True, help="A venue to practise on.")


@app.callback()
def simulate() -> None:
    """A venue to practise on."""


@app.command()
def exchange(
    *,
    port: Annotated[int | None, typer.Option(help="Where to listen; 0 takes any.", min=0, max=65535)] = None,
    speed: Annotated[float, typer.Option(help="Times as fast as the wall clock; other than 1 needs --start.")] = 1.0,
    start: Annotated[str | None, typer.Option(help="Replay the past from here: 2026-01-31T12:00 (UTC) or -6h.")] = None,
    recording: Annotated[list[Path] | None, typer.Option(help="A recording; `file.gz#SOLUSDT` renames it.")] = None,
    seed: Annotated[int | None, typer.Option(help="Another seed is another market.")] = None,
    state_dir: Annotated[Path | None, typer.Option(help="Where the account survives.")] = None,
    misbehave: Annotated[list[str] | None, typer.Option(help="Share of events hit, like gap=0.001.")] = None,
) -> None:
    """Run the exchange until Ctrl-C. Example: ares simulate exchange --port 8900 --misbehave disconnect=0.0001"""
    config = load_config()
    clock = SystemClock()
    options = replace(
        with_overrides(config, port, recording, seed, state_dir),
        speed=speed,
        start_ns=None if start is None else parse_start(start, clock.now_ns()),
        rates=parse_rates(dict(_rate(text) for text in misbehave or [])),
    )
    configure_logging("exchange", config.environment.log_level, json=False)
    asyncio.run(serve(Exchange(options, clock)))


def with_overrides(
    config: AresConfig, port: int | None, recordings: list[Path] | None, seed: int | None, state_dir: Path | None
) -> ExchangeOptions:
    """The configured exchange with what the command line changes."""
    configured = options_of(config, config.environment.state_dir.resolve())
    return replace(
        configured,
        port=configured.port if port is None else port,
        recordings=tuple(recordings) if recordings else configured.recordings,
        seed=configured.seed if seed is None else seed,
        state_dir=configured.state_dir if state_dir is None else state_dir,
    )


def parse_start(text: str, now_ns: int) -> int:
    """An ISO moment (UTC unless it says otherwise), or so long ago: -90s, -30m, -6h, -2d. Raises `ConfigError`."""
    units_s = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
    try:
        if text.startswith("-"):
            return now_ns - round(float(text[1:-1]) * units_s[text[-1]] * NANOS_PER_SECOND)
        return to_ns(datetime.fromisoformat(text))
    except (ValueError, KeyError, OverflowError):
        raise ConfigError("--start", text, "not a moment", "Give one like 2026-01-31T12:00 or -6h") from None


async def serve(exchange: Exchange) -> None:
    """Start, say where, run until a signal or the end of a replay, stop."""
    running = asyncio.ensure_future(_run(exchange))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, running.cancel)
    try:
        await running
    except asyncio.CancelledError:
        console.print("exchange: stopped")
    finally:
        await exchange.stop()


async def _run(exchange: Exchange) -> None:
    await exchange.start()
    console.print(f"exchange: listening on {exchange.address} (Ctrl-C ends it)")
    await exchange.run()
    console.print(
        "exchange: the replay has reached the present, where it ends; start it again with another --start",
        soft_wrap=True,
    )


def _rate(text: str) -> tuple[str, float]:
    kind, _, share = text.partition("=")
    try:
        return kind, float(share)
    except ValueError:
        raise ConfigError("--misbehave", text, "not a kind and a share", "Give one like gap=0.001") from None
