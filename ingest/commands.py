"""`ares ingest`: what is collected, what is missing, and more of the past."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Literal

import typer

from ares.clock import SystemClock
from ares.commands.output import print_rows
from ares.config import AresConfig, ConfigSource, load_config
from ares.service import ServiceContext
from ares.service.registry import service
from ares.service.runner import RunOptions, run_service
from ares.store import Param, Record, Value, load_queries
from ares.store.pool import as_float, as_int
from ares.store.replicas import Feeds, MarketReads
from ares.telemetry import configure_logging
from ingest.feed import SPOT
from ingest.pace import Pace
from ingest.past_commands import backfill, heal
from ingest.replay.commands import replay
from ingest.stalls import PATIENCE_S_MIN

app = typer.Typer(no_args_is_help=True, help="What is collected, what is missing, and more of the past.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]

QUERIES = load_queries("ingest", "queries/status.sql")
PER_SYMBOL = ("trades", "latency", "quotes", "books", "funding", "watermarks", "gap_counts", "quarantined")
ELSEWHERE = "(unknown)"
SINK = "ingest-sink"


@app.command()
def status(json: Json = False) -> None:
    """Rates, lag, gaps and refused frames of every symbol. Example: ares ingest status --json"""
    print_rows(asyncio.run(read_status(load_config())), json=json)


async def read_status(config: AresConfig) -> list[Mapping[str, Value]]:
    """One row per configured symbol, and one for frames whose symbol is not known."""
    rows: dict[str, dict[str, Value]] = {symbol: {"symbol": symbol} for symbol in config.ingest.symbols}
    async with market_of(config) as database:
        for name in PER_SYMBOL:
            for record in await database.fetch(QUERIES[name], {"venue": config.ingest.venue}):
                symbol = str(record["symbol"] or ELSEWHERE)
                rows.setdefault(symbol, {"symbol": symbol}).update({**record, "symbol": symbol})
        for channel in SPOT:
            for record in await database.fetch(QUERIES[f"{channel}_pace"], {"venue": config.ingest.venue}):
                silence = silence_of(record, config.ingest.silence_s_max)
                rows.setdefault(str(record["symbol"]), {}).update({f"{channel}_{k}": v for k, v in silence.items()})
    columns = list(dict.fromkeys(name for row in rows.values() for name in row))
    return [{name: row.get(name) for name in columns} for row in rows.values()]


def silence_of(record: Record, silence_s_max: float) -> dict[str, Value]:
    """How old the newest row of a channel is, how old it usually gets, and whether that is still usual."""
    age_ms, steps = as_int(record["age_ms"]), record["steps"]
    pace = Pace()
    if steps is not None and record["usual_ms"] is not None:
        mean_s, longest_s = (as_float(record[name]) / 1_000 for name in ("usual_ms", "longest_ms"))
        pace = Pace(mean_s, longest_s, as_int(steps))
    limit_ms = round(pace.patience_s(PATIENCE_S_MIN, silence_s_max) * 1_000)
    verdict = "fresh" if age_ms <= limit_ms else "silent"
    return {"age_ms": age_ms, "usual_ms": round(pace.mean_s * 1_000), "limit_ms": limit_ms, "verdict": verdict}


def market_of(config: AresConfig) -> MarketReads:
    """Reads of the market data of the symbols that are collected."""
    return MarketReads(config.database, Feeds(config.ingest.venue, config.ingest.symbols), SystemClock())


@app.command()
def gaps(
    status: Annotated[Literal["all", "open", "healed", "lost"], typer.Option(help="Only gaps of this state.")] = "all",
    rows: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")] = 20,
    json: Json = False,
) -> None:
    """Missing ranges, why they are missing, and how they were healed. Example: ares ingest gaps --status open"""
    config = load_config()

    async def read() -> list[dict[str, Value]]:
        params: dict[str, Param] = {"venue": config.ingest.venue, "status": status, "rows_max": rows}
        async with market_of(config) as database:
            return await database.fetch(QUERIES["gaps"], params)

    print_rows(asyncio.run(read()), json=json)


@app.command()
def check(json: Json = False) -> None:
    """Ask the venue whether it answers and lists our symbols; exit 1 if it does not. Example: ares ingest check"""
    from ingest.asking import ask_venue  # noqa: PLC0415 - importing ccxt takes seconds; lists need not wait for it

    print_rows(asyncio.run(ask_venue(load_config())), json=json)


@app.command()
def sink(
    database: Annotated[str | None, typer.Option(help="The primary, or a replica by its name.")] = None,
    group: Annotated[str | None, typer.Option(help="Another group, to read all there is anew.")] = None,
    name: Annotated[str, typer.Option(help="Of this worker; tells those of one machine apart.")] = SINK,
    port: Annotated[int, typer.Option(help="Where to serve /livez, /readyz and /metrics; 0 takes any.")] = 0,
) -> None:
    """Write what comes over Kafka into a database, until stopped. Example: ares ingest sink --database replica-1"""
    given = {"ARES_INGEST__SINK_DATABASE": database, "ARES_INGEST__SINK_GROUP": group}
    variables = {**os.environ, **{key: value for key, value in given.items() if value is not None}}
    source = ConfigSource.of(environ=variables)
    config = source.load()
    configure_logging(name, config.environment.log_level, json=config.monitoring.json_logs)
    context = ServiceContext(config, SystemClock(), f"{name}@{socket.gethostname()}:{os.getpid()}")
    asyncio.run(run_service(replace(service(SINK), name=name), context, RunOptions(port, source=source)))


app.command()(backfill)
app.command()(heal)
app.command()(replay)
