"""`ares trace`: the way from a tick to the fill it caused."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from ares.clock import MINUTE_NS, SystemClock, to_datetime, to_ns
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UsageError
from ares.store import Database, Record, load_queries
from ares.store.pool import as_int
from ares.telemetry.tracing import trace_id_of

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Follow a tick to what it caused.")

QUERIES = load_queries("ares.commands", "trace.sql")
TRACE_ID = re.compile(r"[0-9a-f]{32}")
KEPT = timedelta(days=30)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of tables.")]


@app.command()
def show(
    trace_id: Annotated[str, typer.Argument(help="32 hex digits, as rows, logs and spans have them.")],
    json: Json = False,
) -> None:
    """Spans, signals, orders and fills of a trace. Example: ares trace show 4bf92f3577b34da6a3ce929d0e0e4736"""
    if not TRACE_ID.fullmatch(trace_id):
        raise UsageError(f"trace_id = {trace_id!r}: not 32 hex digits. Take it from a row's trace_id")
    _print(load_config(), trace_id, json=json)


@app.command()
def tick(
    symbol: Annotated[str, typer.Argument(help="The instrument: BTC/USDT")],
    moment: Annotated[datetime, typer.Argument(help="When it was traded, UTC: 2026-11-23T20:05:03")],
    venue: Annotated[str, typer.Option(help="Where; default: what is collected.")] = "",
    json: Json = False,
) -> None:
    """What a tick led to. Example: ares trace tick BTC/USDT 2026-11-23T20:05:03"""
    config = load_config()
    minute = to_ns(moment.replace(tzinfo=UTC)) // MINUTE_NS
    _print(config, trace_id_of(venue or config.ingest.venue, symbol, minute), json=json)


def _print(config: AresConfig, trace_id: str, *, json: bool) -> None:
    spans, consequences = asyncio.run(_read(config, trace_id))
    if not json:
        console.print(f"trace {trace_id}")
    print_rows([_span(span, spans[0]) for span in spans], json=json, title="spans")
    print_rows(sorted(consequences, key=lambda row: str(row["ts"])), json=json, title="signals, orders, fills")


async def _read(config: AresConfig, trace_id: str) -> tuple[list[Record], list[Record]]:
    since = to_datetime(SystemClock().now_ns()) - KEPT
    async with await Database.connect(config.database, readonly=True) as database:
        spans = await database.fetch(QUERIES["spans"], {"trace_id": trace_id, "since": since})
        return spans, await database.fetch(QUERIES["consequences"], {"trace_id": trace_id})


def _span(span: Record, first: Record) -> dict[str, object]:
    after_ms = (as_int(span["ts_ns"]) - as_int(first["ts_ns"])) / 1e6
    return {
        "after_ms": round(after_ms, 3),
        "took_ms": as_int(span["duration_us"]) / 1_000,
        "service": span["service"],
        "span": span["name"],
        "status": span["status"],
        "attributes": span["attributes"],
    }
