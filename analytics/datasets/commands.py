"""`ares data versions | make | checkout | diff | retire`: named versions of bars and features."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from analytics.catalog import definition, definitions
from analytics.jobs import opened
from ares.clock import HOUR_NS, SystemClock, to_datetime, to_ns
from ares.commands.output import console, print_rows
from ares.commands.who import operator
from ares.config import load_config
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.telemetry import configure_logging

if TYPE_CHECKING:
    from analytics.datasets.maker import Datasets
    from analytics.datasets.registry import Version
    from ares.lake.frame import Difference

KEYS_SHOWN = 5
REBUILT = "rebuilt"

T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Named = Annotated[str, typer.Argument(help="A version, like direction@3; a name alone is its newest one.")]

versions_app = typer.Typer(add_completion=False)
make_app = typer.Typer(add_completion=False)
checkout_app = typer.Typer(add_completion=False)
diff_app = typer.Typer(add_completion=False)
retire_app = typer.Typer(add_completion=False)


@versions_app.command("versions")
def versions(name: Annotated[str, typer.Argument(help="A dataset; without one all.")] = "", json: Json = False) -> None:
    """Versions with their span, gaps, quality and who learnt from them. Example: ares data versions direction"""

    async def read(datasets: Datasets) -> list[dict[str, object]]:
        registry = datasets.registry
        names = [name] if name else await asyncio.to_thread(registry.names)
        listed = [await asyncio.to_thread(registry.versions, each) for each in names]
        return [row_of(version) for each in listed for version in each]

    print_rows(_with_datasets(read), json=json)


@make_app.command("make")
def make(
    name: Annotated[str, typer.Argument(help="The dataset, like direction.")],
    *,
    since: Annotated[
        datetime | None, typer.Option("--from", help="First bar, UTC; default: training.window_hours ago.")
    ] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Bars before this, UTC; default: now.")] = None,
    known_to: Annotated[datetime | None, typer.Option(help="Only what was known then, UTC; default: now.")] = None,
    symbol: Annotated[list[str] | None, typer.Option(help="Only these; default: ingest.symbols.")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Only these; default: all there are.")] = None,
    signal: Annotated[list[str] | None, typer.Option(help="What these wanted too, for labels that follow one.")] = None,
    json: Json = False,
) -> None:
    """Make a version, unless the newest holds the same. Example: ares data make direction --from 2026-11-20"""
    config, now_ns = load_config(), SystemClock().now_ns()
    to_ns_ = _ns(until) or now_ns
    from_ns = _ns(since) or to_ns_ - round(config.training.window_hours * HOUR_NS)
    features = [definition("feature", each).view for each in feature or ()] or [d.view for d in definitions("feature")]
    features += [definition("signal", each).view for each in signal or ()]
    symbols = sorted(symbol or config.ingest.symbols)

    async def work(datasets: Datasets) -> dict[str, object]:
        from analytics.datasets.events import Source  # noqa: PLC0415 - help need not wait for it
        from analytics.datasets.maker import whole_micros  # noqa: PLC0415 - imports pyarrow

        source = Source(config.ingest.venue, symbols, sorted(features), whole_micros(from_ns), whole_micros(to_ns_))
        known_ns = whole_micros(_ns(known_to) or now_ns)
        version, _ = await datasets.make(name, source, known_ns, operator())
        return row_of(version)

    print_rows([_with_datasets(work)], json=json)


@checkout_app.command("checkout")
def checkout(
    named: Named,
    to: Annotated[Path, typer.Option(help="A folder that is new or empty.")],
) -> None:
    """Put a version into a folder, the same bytes each time. Example: ares data checkout direction@3 --to d3"""

    async def work(datasets: Datasets) -> tuple[str, bool]:
        from analytics.datasets.checkout import put  # noqa: PLC0415 - help need not wait for it
        from analytics.datasets.maker import manifest_of  # noqa: PLC0415 - imports pyarrow

        version = await asyncio.to_thread(datasets.registry.get, named)
        await datasets.read(version)
        return version.id, await asyncio.to_thread(put, to, datasets.content(version), manifest_of(version))

    found, new = _with_datasets(work)
    console.print(f"{found} {'is in' if new else 'was already in'} {to}", soft_wrap=True)


@diff_app.command("diff")
def diff(
    first: Named,
    second: Annotated[str, typer.Argument(help="Another version, or `rebuilt`: what the views say now of the same.")],
    json: Json = False,
) -> None:
    """What is other in the second of two versions. Example: ares data diff direction@1 direction@2"""

    async def work(datasets: Datasets) -> list[dict[str, object]]:
        from ares.lake.frame import difference  # noqa: PLC0415 - help need not wait for it

        one = await asyncio.to_thread(datasets.registry.get, first)
        if second == REBUILT:
            found = difference(await datasets.read(one), await datasets.rebuild(one))
            return difference_rows(found)
        other = await asyncio.to_thread(datasets.registry.get, second)
        found = difference(await datasets.read(one), await datasets.read(other))
        return [*difference_rows(found), *meta_rows(one, other)]

    print_rows(_with_datasets(work), json=json)


@retire_app.command("retire")
def retire(named: Named, why: Annotated[str, typer.Option(help="For those who look for it later.")]) -> None:
    """Give a version up; refused while a model cites it. Example: ares data retire direction@2 --why superseded"""

    async def work(datasets: Datasets) -> str:
        if "@" not in named:
            raise UsageError(f"dataset = {named!r}: no version. Name the one to give up, like {named}@1")
        version = await asyncio.to_thread(datasets.registry.get, named)
        await datasets.retire(version, operator(), why)
        return version.id

    console.print(f"{_with_datasets(work)} is given up")


def row_of(version: Version) -> dict[str, object]:
    """A version for people."""
    made = version.made
    return {
        "version": version.id,
        "status": "made" if version.retired is None else f"retired: {version.retired}",
        "rows": made.rows,
        "from": to_datetime(made.span_from_ns),
        "to": to_datetime(made.span_to_ns),
        "known_to": to_datetime(made.known_to_ns),
        "gaps": made.judged.gaps,
        "quality": made.judged.quality,
        "not_ok": ", ".join(made.judged.not_ok),
        "delta_version": made.delta_version,
        "sha256": made.sha256[:16],
        "cited_by": ", ".join(version.cited_by),
    }


def difference_rows(found: Difference) -> list[dict[str, object]]:
    """Rows and columns that differ, by kind, with a few of their keys."""
    kinds: Mapping[str, Sequence[Sequence[object]]] = {
        "rows added": found.added,
        "rows removed": found.removed,
        "rows changed": found.changed,
    }
    rows: list[dict[str, object]] = [
        {"what": what, "count": len(keys), "which": "; ".join(_key_text(key) for key in keys[:KEYS_SHOWN])}
        for what, keys in kinds.items()
    ]
    rows += [{"what": f"changed in {name}", "count": n, "which": ""} for name, n in found.changed_columns.items()]
    for what, names in (("columns added", found.columns_added), ("columns removed", found.columns_removed)):
        rows.append({"what": what, "count": len(names), "which": ", ".join(names)})
    return rows


def meta_rows(one: Version, other: Version) -> list[dict[str, object]]:
    """Views whose text is another, and verdicts that are."""
    before, after = one.made.view_hashes, other.made.view_hashes
    views = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    rows: list[dict[str, object]] = [{"what": "views changed", "count": len(views), "which": ", ".join(views)}]
    for what in ("gaps", "quality"):
        said = [getattr(each.made.judged, what) for each in (one, other)]
        rows.append({"what": what, "count": int(said[0] != said[1]), "which": " → ".join(dict.fromkeys(said))})
    return rows


def _key_text(key: Sequence[object]) -> str:
    ts_ns, *rest = key
    moment = f"{to_datetime(ts_ns):%Y-%m-%dT%H:%M}Z" if isinstance(ts_ns, int) else str(ts_ns)
    return " ".join([moment, *(str(each) for each in rest)])


def _ns(moment: datetime | None) -> int | None:
    return None if moment is None else to_ns(moment.replace(tzinfo=UTC))


def _with_datasets(work: Callable[[Datasets], Awaitable[T]]) -> T:
    async def run() -> T:
        config = load_config()
        configure_logging("datasets", config.environment.log_level, json=config.monitoring.json_logs)
        async with opened(ServiceContext(config, SystemClock(), "datasets")) as datasets:
            return await work(datasets)

    return asyncio.run(run())
