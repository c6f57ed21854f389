"""`ares models train | list | show | validate | promote | rollback | compare`."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from analytics.jobs import TRAIN, lifecycle, train
from ares.clock import SystemClock
from ares.commands.on_behalf import asked_by
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.config import load_config
from ares.errors import UnknownName, UsageError
from ares.service import ServiceContext
from ares.service.jobs import run_job
from ares.store import Database, Record, load_queries
from ares.telemetry import configure_logging

if TYPE_CHECKING:
    from analytics.models.lifecycle import Lifecycle, Validated

QUERIES = {**load_queries("analytics", "queries/commands.sql"), **load_queries("analytics", "queries/models.sql")}
STAGE_NAMES = ("candidate", "challenger", "champion")

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Version = Annotated[str, typer.Argument(help="A version, as `ares models show` lists them.")]
Reason = Annotated[str, typer.Option("--why", help="For those who ask later; it is audited.")]

models_app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Models: training, how they did, and which is in use."
)


@models_app.command("list")
def list_models(json: Json = False) -> None:
    """The newest training runs and how they did out of sample. Example: ares models list"""
    print_rows(_fetch("runs"), json=json)


@models_app.command("show")
def show(
    version: Annotated[str, typer.Argument(help="A version; without one, all and where they stand.")] = "",
    json: Json = False,
) -> None:
    """Versions and their stages; of one, all that it rests on. Example: ares models show 20260301T120000.123"""

    async def all_of(models: Lifecycle) -> list[dict[str, object]]:
        standing = models.stages().standing
        rows = await models.database.fetch(QUERIES["versions"], {"model": models.model})
        return [{"version": row["version"], "stage": stage_of(standing.stages, row), **row} for row in rows]

    async def one_of(models: Lifecycle) -> list[dict[str, object]]:
        run = await models.trained(version)
        stages = models.stages()
        pinned = await asyncio.to_thread(stages.registry.pinned, models.model, version)
        stage = stages.standing.stages.get(version, "")
        told = {"stage": stage, **{k: v for k, v in run.items() if v is not None}, **pinned}
        return [{"what": name, "value": value} for name, value in told.items()]

    print_rows(_with_models(one_of if version else all_of), json=json)


@models_app.command("train")
def train_now(
    model: Annotated[str, typer.Argument(help="The model to train.")] = "direction", json: Json = False
) -> None:
    """Train now, on what is frozen; a running analytics service takes it up. Example: ares models train"""
    config = load_config()
    if model != config.training.model:
        raise UnknownName("model", model, [config.training.model])
    configure_logging("models", config.environment.log_level, json=config.monitoring.json_logs)
    with _progress() as progress:
        spec = replace(TRAIN, run=functools.partial(train, progress=progress, made_by=operator()))
        outcome = asyncio.run(run_job(ServiceContext(config, SystemClock(), "models"), spec, "command"))
    assert outcome is not None, "a job that was asked for by a command always runs"
    if json:
        print_rows([outcome], json=True)
        return
    console.print(" ".join(f"{name}={value}" for name, value in outcome.items()), soft_wrap=True)


@models_app.command("validate")
def validate(version: Version, json: Json = False) -> None:
    """Every check of the gate; exit 1 if one fails. Example: ares models validate 20260301T120000.123"""
    _said(_with_models(lambda models: models.validate(version)), json=json)


@models_app.command("promote")
def promote(
    version: Version,
    why: Reason,
    stage: Annotated[str, typer.Option(help="candidate, challenger or champion.")] = "champion",
    json: Json = False,
) -> None:
    """Past the gate, into a stage; exit 1 if refused. Example: ares models promote 20260301T120000.123 --why better"""
    _said(_with_models(lambda models: models.promote(version, _stage(stage), why, asked_by(models.config))), json=json)


@models_app.command("rollback")
def rollback(
    why: Reason, to: Annotated[str | None, typer.Option(help="An earlier champion; default: the one before.")] = None
) -> None:
    """Let an earlier champion be champion again, at once. Example: ares models rollback --why 'it drifts'"""
    version = _with_models(lambda models: models.rollback(why, asked_by(models.config), to))
    console.print(f"{version} is champion again", soft_wrap=True)


@models_app.command("compare")
def compare(
    first: Annotated[str, typer.Argument(help="A version; default: the champion.")] = "",
    second: Annotated[str, typer.Argument(help="Another; default: the challenger.")] = "",
    *,
    hours: Annotated[float | None, typer.Option(help="How far back; default: models.compare_hours.")] = None,
    json: Json = False,
) -> None:
    """Which of two foresaw better the bars that both scored; look as often as you like. Example: ares models compare"""

    async def work(models: Lifecycle) -> dict[str, object]:
        standing = models.stages().standing
        one, other = first or standing.champion, second or standing.challenger
        if one is None or other is None:
            raise UsageError(f"model = {models.model!r}: champion {one}, challenger {other}. Name two versions")
        found = await models.compare(one, other, hours or models.config.models.compare_hours)
        return {
            "first": one, "second": other, "verdict": found.verdict, "rows": found.rows, "edge_nats": found.edge,
            "evidence": found.evidence, "decided_at": found.decided_at,
        }  # fmt: skip

    print_rows([_with_models(work)], json=json)


def stage_of(stages: Mapping[str, str], row: Record) -> str:
    """Where a version stands; empty where nobody recorded a step."""
    return stages.get(str(row["version"]), "")


def _stage(name: str) -> Literal["candidate", "challenger", "champion"]:
    match name:
        case "candidate" | "challenger" | "champion":
            return name
        case _:
            raise UnknownName("stage", name, list(STAGE_NAMES))


def _said(found: Validated, *, json: bool) -> None:
    """The findings; exit 1 if any failed."""
    rows = [
        {"check": f.check, "passed": f.passed, "observed": f.observed, "limit": f.limit, "unit": f.unit}
        for f in found.findings
    ]
    print_rows(rows, json=json)
    if not found.passed:
        raise typer.Exit(1)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that is there as soon as a search has begun."""
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("trials", total=None, visible=False)
        yield lambda done, total: bars.update(task, completed=done, total=total, visible=True)


def _with_models(work: Callable[[Lifecycle], Awaitable[T]]) -> T:
    async def run() -> T:
        config = load_config()
        configure_logging("models", config.environment.log_level, json=config.monitoring.json_logs)
        async with lifecycle(ServiceContext(config, SystemClock(), "models")) as models:
            return await work(models)

    return asyncio.run(run())


def _fetch(query: str) -> Sequence[Record]:
    async def read() -> list[Record]:
        async with await Database.connect(load_config().database, readonly=True) as database:
            return await database.fetch(QUERIES[query])

    return asyncio.run(read())
