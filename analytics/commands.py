"""`ares signals`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from analytics.catalog import Definition, one_of
from analytics.features.commands import own_of
from ares.commands.output import print_rows
from ares.config import load_config
from ares.store import Database, Record, load_queries

QUERIES = load_queries("analytics", "queries/commands.sql")

signals_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Signals: what the strategies want.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@signals_app.command("latest")
def latest_signals(
    strategy: Annotated[str | None, typer.Option(help="Only this strategy.")] = None, json: Json = False
) -> None:
    """The newest signal of every strategy and symbol. Example: ares signals latest --json"""
    if strategy is not None:
        one_of("signal", strategy, signals())
    rows = [row for row in _fetch("signals_now") if strategy in (None, row["strategy"])]
    print_rows(rows, json=json)


@signals_app.command("list")
def list_signals(json: Json = False) -> None:
    """Every strategy with what it does. Example: ares signals list"""
    print_rows([{"signal": d.view, "what": d.what} for d in signals()], json=json)


def signals() -> Sequence[Definition]:
    """Every strategy's signal, an analyst's own too."""
    return own_of(load_config()).catalog().signals


def _fetch(query: str) -> Sequence[Record]:
    async def read() -> list[Record]:
        async with await Database.connect(load_config().database, readonly=True) as database:
            return await database.fetch(QUERIES[query])

    return asyncio.run(read())
