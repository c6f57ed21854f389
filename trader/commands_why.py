"""`ares trader why` and `ares trader explain`: answers to "why not" and "why"."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, cast
from urllib.parse import quote

import typer

from ares.clock import SystemClock, isoformat, to_datetime
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import UnknownName
from ares.service.trader_door import NoTrader
from ares.store import Database, Record, load_queries
from ares.store.pool import as_int, as_str
from trader.cli import LOOK_S_MAX, Json, print_json
from trader.client import call
from trader.explain import explain as way_of
from trader.explain import told
from trader.why import Circumstances, Decided, figure, sentence

QUERIES = load_queries("trader", "queries/why.sql")
KEPT = timedelta(days=30)
"""Older decisions tell nothing about now."""


def why(
    symbol: Annotated[str, typer.Argument(help="What: BTC/USDT; without one everything that is traded.")] = "",
    json: Json = False,
) -> None:
    """Why nothing is being traded now, a line for each strategy and symbol. Example: ares trader why BTC/USDT"""
    config = load_config()
    query = f"?symbol={quote(symbol, safe='')}" if symbol else ""
    try:
        answer = call(config, f"why{query}", None, LOOK_S_MAX)
    except NoTrader as error:
        lines = asyncio.run(_by_rows(config, symbol))
        answer = {"trader": str(error), "lines": lines}
    if json:
        print_json(answer)
        return
    if "trader" in answer:
        console.print("no trader runs here; this is what the last one decided, from rows", soft_wrap=True)
    for line in cast("Sequence[Mapping[str, object]]", answer["lines"]):
        when = f" (decided {line['decided_at']})" if line["decided_at"] else ""
        console.print(f"{line['strategy']} {line['symbol']}: {line['why']}{when}", soft_wrap=True)


def explain(
    order_id: Annotated[str, typer.Argument(help="Its 36 characters, as rows and status have them.")],
    json: Json = False,
) -> None:
    """The way from a tick to an order's fills, leg by leg. Example: ares trader explain ares0123…cdef --json"""
    rows = asyncio.run(_explained(load_config(), order_id))
    print_rows(rows, json=json, title=f"order {order_id}")


async def _explained(config: AresConfig, order_id: str) -> list[Mapping[str, object]]:
    async with await Database.connect(config.database, readonly=True) as database:
        return [told(leg) for leg in await way_of(database, order_id)]


async def _by_rows(config: AresConfig, symbol: str) -> list[dict[str, object]]:
    """What the rows tell where no trader answers. Raises `UnknownName`, `StoreError`."""
    account = config.trading.account
    since = to_datetime(SystemClock().now_ns()) - KEPT
    async with await Database.connect(config.database, readonly=True) as database:
        rows = await database.fetch(QUERIES["newest_decisions"], {"account": account, "since": since})
        state = await database.fetch_one(QUERIES["newest_state"], {"account": account})
    known = {as_str(row["symbol"]): None for row in rows}
    if symbol and symbol not in known:
        raise UnknownName("symbol", symbol, list(known))
    found = [_decided(row) for row in rows if symbol in ("", row["symbol"])]
    return [_line(each, _circumstances(state, each)) for each in sorted(found, key=lambda each: each.symbol)]


def _line(seen: Decided, now: Circumstances) -> dict[str, object]:
    said = sentence(seen, now, seen.strategy)
    return {"strategy": seen.strategy, "symbol": seen.symbol, "decided_at": seen.at, "why": f"no trader runs; {said}"}


def _circumstances(state: Record | None, seen: Decided) -> Circumstances:
    if state is None:
        return Circumstances("HALTED", "trader", "never started", "the beginning")
    said = as_str(state["state"])
    return Circumstances(
        state=said,
        actor=as_str(state["actor"]),
        reason=as_str(state["reason"]),
        since=isoformat(as_int(state["ts_ns"])),
        maintenance=said == "ACTIVE" and seen.state == "REDUCING",
    )


def _decided(row: Record) -> Decided:
    return Decided(
        strategy=as_str(row["strategy"]),
        symbol=as_str(row["symbol"]),
        action=as_str(row["action"]),
        reason=as_str(row["reason"]),
        state=as_str(row["state"]),
        at=isoformat(as_int(row["ts_ns"])),
        observed=_figure(row["observed"]),
        limit=_figure(row["limit_value"]),
        unit="" if row["unit"] is None else as_str(row["unit"]),
        order_id="" if row["client_order_id"] is None else as_str(row["client_order_id"]),
    )


def _figure(value: object) -> str:
    return figure(value) if isinstance(value, Decimal) else ""
