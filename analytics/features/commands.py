"""`ares features …`: what there is, what it says now, whether it is sound, and an analyst's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from analytics.catalog import Definition
from analytics.features.own import Own
from ares.clock import NANOS_PER_SECOND, SystemClock, isoformat, to_ns
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.errors import OperatingError, UsageError
from ares.store import Database, Record, RowWriter, load_queries
from ares.store.pool import as_int
from ares.telemetry import configure_logging

QUERIES = load_queries("analytics", "queries/features.sql")
NEWEST = load_queries("analytics", "queries/commands.sql")
BARS_MAX = 512

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Features: what there is, what it says, and your own."
)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Names = Annotated[list[str] | None, typer.Argument(help="Features or signals, like rsi_14 or rsi_14_v1; none: all.")]
Moment = Annotated[str | None, typer.Option(metavar="MOMENT", help="Like 2026-03-01 or 2026-03-01T12:00:00Z.")]
T = TypeVar("T")


@app.command("list")
def list_features(json: Json = False) -> None:
    """Every feature with what it says of itself. Example: ares features list --json"""
    rows = [listed(view) for view in own_of(load_config()).catalog().features]
    print_rows(rows if json else [{name: row[name] for name in SHOWN} for row in rows], json=json)


SHOWN = ("feature", "warm_up_bars", "unit", "what", "own")


def listed(view: Definition) -> dict[str, object]:
    """A row for people and programs."""
    header = view.header()
    return {
        "feature": view.view,
        "warm_up_bars": view.warm_up_bars,
        "what": view.what,
        "unit": header.unit,
        "entity": header.entity,
        "inputs": list(header.inputs),
        "known_after": header.known_after,
        "owner": header.owner,
        "checks": [f"{check.limit} ({check.grade})" for check in header.checks],
        "own": view.own,
    }


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="A feature, like rsi_14 or rsi_14_v1.")], json: Json = False) -> None:
    """A feature's definition and its newest frozen values. Example: ares features show rsi_14"""
    config = load_config()
    feature = own_of(config).catalog().one(name)
    if not json:
        console.print(feature.sql, markup=False, soft_wrap=True)
    newest = asyncio.run(read(config, NEWEST["features_now"], {}))
    print_rows([r for r in newest if (r["name"], r["version"]) == (feature.name, feature.version)], json=json)


@app.command()
def serve(symbol: Annotated[str | None, typer.Option(help="Only this symbol.")] = None, json: Json = False) -> None:
    """Per symbol the newest frozen row of all features. Example: ares features serve --symbol BTC/USDT --json"""
    config = load_config()
    rows = served(asyncio.run(read(config, QUERIES["serve"], {"venue": config.ingest.venue})))
    rows = [row for row in rows if symbol in {None, row["symbol"]}]
    if json:
        print_rows(rows, json=True)
        return
    print_rows(
        [
            {"symbol": row["symbol"], "ts": row["ts"], "feature": name, "value": value}
            for row in rows
            for name, value in row.items()
            if name not in {"symbol", "ts", "known_at"}
        ],
        json=False,
    )


def served(rows: Sequence[Record]) -> list[dict[str, object]]:
    """A row a symbol: of its newest bar, every feature that is frozen of that bar."""
    newest: dict[str, int] = {}
    for row in rows:
        newest[str(row["symbol"])] = max(as_int(row["ts_ns"]), newest.get(str(row["symbol"]), 0))
    found: dict[str, dict[str, object]] = {
        symbol: {"symbol": symbol, "ts": isoformat(ts_ns), "known_at": ""} for symbol, ts_ns in sorted(newest.items())
    }
    for row in sorted(rows, key=lambda r: (str(r["name"]), as_int(r["version"]))):
        symbol = str(row["symbol"])
        if row["ts_ns"] == newest[symbol]:
            found[symbol][f"{row['name']}_v{row['version']}"] = row["value"]
            found[symbol]["known_at"] = max(str(found[symbol]["known_at"]), isoformat(as_int(row["known_ns"])))
    return list(found.values())


@app.command()
def check(
    names: Names = None,
    since: Annotated[
        str | None, typer.Option("--from", metavar="MOMENT", help="Grade what is frozen from here.")
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="Until here.")] = None,
    bars: Annotated[int | None, typer.Option(help=f"Prove of so many bars, at most {BARS_MAX}.")] = None,
    json: Json = False,
) -> None:
    """Grade what is frozen, and prove that nothing knows the future. Example: ares features check rsi_14"""
    from analytics.features.checking import Checking, Wanted  # noqa: PLC0415 - starts servers, which takes imports

    config, clock = load_config(), SystemClock()
    own = own_of(config)
    views = [own.catalog().one(name) for name in names or ()] or [*own.catalog().features, *own.catalog().signals]
    if bars is not None and not 0 < bars <= BARS_MAX:
        raise UsageError(f"bars = {bars}: not between 1 and {BARS_MAX}. Ask for less")

    async def run(database: Database, writer: RowWriter) -> list[dict[str, object]]:
        checking = Checking(config, own, database, writer, clock)
        usual = checking.usual(views)
        wanted = Wanted(
            views,
            usual.from_ns if since is None else moment("from", since),
            usual.to_ns if until is None else moment("to", until),
            bars or usual.bars,
        )
        return [result.shown() for result in await checking.run(wanted)]

    rows = asyncio.run(with_database(config, run))
    print_rows(rows, json=json)
    failed = sorted({str(row["view"]) for row in rows if row["grade"] == "fail"})
    if failed:
        raise OperatingError(f"checks of {', '.join(failed)} failed: see the column demanded")


@app.command()
def export(
    names: Annotated[list[str], typer.Argument(help="Features, like rsi_14 or rsi_14_v1.")],
    since: Annotated[str, typer.Option("--from", metavar="MOMENT", help="From this bar on.")],
    until: Annotated[str, typer.Option("--to", metavar="MOMENT", help="Until this bar, excluded.")],
    out: Annotated[Path, typer.Option(help="A file: .parquet or .csv.")],
    symbol: Annotated[list[str] | None, typer.Option(help="A symbol, again for more; none: all configured.")] = None,
) -> None:
    """What bars knew. Example: ares features export rsi_14 --from 2026-03-01 --to 2026-03-02 --out f.csv"""
    from analytics.features.store import FeatureStore, Range  # noqa: PLC0415 - imports pyarrow, which takes time
    from ares.lake.columns import write_table  # noqa: PLC0415 - so does this

    config = load_config()
    if out.suffix not in {".parquet", ".csv"}:
        raise UsageError(f"out = {str(out)!r}: of no kind that is known. Call it .parquet or .csv")
    span = Range(moment("from", since), moment("to", until))
    store = FeatureStore(config.database, config.ingest.venue, own_of(config).catalog())
    frame = store.training_frame(names, symbol or sorted(config.ingest.symbols), span)
    try:
        write_table(frame.arrow, out)
    except OSError as error:
        raise UsageError(f"out = {str(out)!r}: {error.strerror or error}. Name a file that can be written") from None
    console.print(f"{frame.rows} bars, {len(frame.features)} features: {out}", soft_wrap=True)


@app.command()
def deploy(
    file: Annotated[Path, typer.Argument(help="A .sql file with one feature or signal, NAME_vN.")],
    stable: Annotated[bool, typer.Option("--stable", help="Lead the stable name to this version.")] = False,
) -> None:
    """Make a file of yours a feature or signal, while everything runs. Example: ares features deploy mine_v1.sql"""
    from analytics.features.deploy import Deployment  # noqa: PLC0415 - starts servers, which takes imports

    config = load_config()

    async def run(database: Database, writer: RowWriter) -> str:
        made = await Deployment(config, own_of(config), database, writer, SystemClock()).deploy(file, stable=stable)
        led = f"; {made.view.name} leads to it" if made.stable else ""
        return f"{made.view.view} is deployed: the same in {made.verdict.cells} bars whatever comes later{led}"

    console.print(asyncio.run(with_database(config, run)), soft_wrap=True)


@app.command()
def retire(name: Annotated[str, typer.Argument(help="A version of yours, like mine_v1.")]) -> None:
    """Take a feature or signal of yours away; what is frozen of it stays. Example: ares features retire mine_v1"""
    from analytics.features.deploy import Deployment  # noqa: PLC0415 - starts servers, which takes imports

    config = load_config()

    async def run(database: Database, writer: RowWriter) -> Path:
        return await Deployment(config, own_of(config), database, writer, SystemClock()).retire(name)

    console.print(f"{name} is retired; its file: {asyncio.run(with_database(config, run))}", soft_wrap=True)


def own_of(config: AresConfig) -> Own:
    """The folder of own features and signals of these settings."""
    return Own(config.features.folder(config.environment.state_dir.resolve()))


def moment(option: str, text: str) -> int:
    """A moment of an option, UTC ns. Raises `UsageError`."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise UsageError(f"{option} = {text!r}: not a moment. Write it like 2026-03-01T12:00:00Z") from None
    whole = found if found.tzinfo else found.replace(tzinfo=UTC)
    return to_ns(whole.astimezone(UTC)) // NANOS_PER_SECOND * NANOS_PER_SECOND


async def read(config: AresConfig, sql: str, where: Mapping[str, str]) -> list[Record]:
    """The rows of a query, as the user who may only read."""
    async with await Database.connect(config.database, readonly=True) as database:
        return await database.fetch(sql, where)


async def with_database(config: AresConfig, work: Callable[[Database, RowWriter], Awaitable[T]]) -> T:
    """Do something with the database and a writer; logs go to stderr, beside the answer."""
    configure_logging("features", config.environment.log_level, json=config.monitoring.json_logs)
    async with opened(config) as (database, writer):
        return await work(database, writer)


@asynccontextmanager
async def opened(config: AresConfig) -> AsyncIterator[tuple[Database, RowWriter]]:
    """The database of these settings and a writer to it."""
    writer = RowWriter(config.database)
    try:
        async with await Database.connect(config.database) as database:
            yield database, writer
    finally:
        await writer.close()
