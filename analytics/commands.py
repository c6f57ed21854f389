"""`ares features`, `ares signals`, `ares models`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated

import typer

from analytics.catalog import definition, definitions
from analytics.jobs import TRAIN
from ares.clock import SystemClock
from ares.commands.output import console, print_rows
from ares.config import load_config
from ares.errors import UnknownName
from ares.service import ServiceContext, run_job
from ares.store import Database, Record, load_queries
from ares.telemetry import configure_logging

QUERIES = load_queries("analytics", "queries/commands.sql")

features_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Features: what there is and what it says.")
signals_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Signals: what the strategies want.")
models_app = typer.Typer(add_completion=False, no_args_is_help=True, help="Models: how they did, and training.")

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


@features_app.command("list")
def list_features(json: Json = False) -> None:
    """Every feature with what it says. Example: ares features list"""
    rows = [{"feature": d.view, "warm_up_bars": d.warm_up_bars, "what": d.what} for d in definitions("feature")]
    print_rows(rows, json=json)


@features_app.command("show")
def show_feature(
    name: Annotated[str, typer.Argument(help="A feature, like rsi_14 or rsi_14_v1.")], json: Json = False
) -> None:
    """A feature's definition and its newest frozen values. Example: ares features show rsi_14"""
    feature = definition("feature", name)
    if not json:
        console.print(feature.sql, markup=False, soft_wrap=True)
    newest = _fetch("features_now")
    print_rows([r for r in newest if (r["name"], r["version"]) == (feature.name, feature.version)], json=json)


@signals_app.command("latest")
def latest_signals(
    strategy: Annotated[str | None, typer.Option(help="Only this strategy.")] = None, json: Json = False
) -> None:
    """The newest signal of every strategy and symbol. Example: ares signals latest --json"""
    if strategy is not None:
        definition("signal", strategy)
    rows = [row for row in _fetch("signals_now") if strategy in (None, row["strategy"])]
    print_rows(rows, json=json)


@signals_app.command("list")
def list_signals(json: Json = False) -> None:
    """Every strategy with what it does. Example: ares signals list"""
    print_rows([{"signal": d.view, "what": d.what} for d in definitions("signal")], json=json)


@models_app.command("list")
def list_models(json: Json = False) -> None:
    """The newest training runs and how they did out of sample. Example: ares models list"""
    print_rows(_fetch("runs"), json=json)


@models_app.command("train")
def train(
    model: Annotated[str, typer.Argument(help="The model to train.")] = "direction",
) -> None:
    """Train now, on what is frozen; a running analytics service takes it up. Example: ares models train"""
    config = load_config()
    if model != config.training.model:
        raise UnknownName("model", model, [config.training.model])
    configure_logging("models", config.environment.log_level, json=config.monitoring.json_logs)
    outcome = asyncio.run(run_job(ServiceContext(config, SystemClock(), "models"), TRAIN, "command"))
    assert outcome is not None, "a job that was asked for by a command always runs"
    console.print(" ".join(f"{name}={value}" for name, value in outcome.items()), soft_wrap=True)


def _fetch(query: str) -> Sequence[Record]:
    async def read() -> list[Record]:
        async with await Database.connect(load_config().database, readonly=True) as database:
            return await database.fetch(QUERIES[query])

    return asyncio.run(read())
