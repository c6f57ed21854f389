"""`ares db`: the database, from start to stop."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from ares.clock import SystemClock
from ares.commands.dsn import dsn_command
from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.config.replicas import PRIMARY
from ares.errors import UsageError
from ares.service import ServiceContext
from ares.service.releases import Wish, migrate_schema
from ares.store import Database, Record
from ares.store.encryption import pg_encryption, scheme
from ares.store.health import storage_health
from ares.store.plan import plan, waiting_migrations
from ares.store.replicas import database_named
from ares.store.server import EmbeddedQuestDB

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Start, stop, migrate and query QuestDB.")

app.command("dsn")(dsn_command)

Json = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]
Which = Annotated[str, typer.Option("--database", help="The primary, or a replica by its name.")]


def _server(config: AresConfig) -> EmbeddedQuestDB:
    if config.database.mode != "embedded":
        raise UsageError(
            f"database.mode = {config.database.mode!r}: this QuestDB is not ours to start or stop. "
            "Use its own tools, or set database.mode = 'embedded'"
        )
    return EmbeddedQuestDB(config.database, config.environment.state_dir.resolve())


@app.command()
def start() -> None:
    """Start QuestDB in the background, or adopt the one that runs. Example: ares db start"""
    _server(load_config()).start(console.print)


@app.command()
def stop() -> None:
    """Stop the embedded QuestDB cleanly. Example: ares db stop"""
    console.print("stopped" if _server(load_config()).stop() else "was not running")


@app.command("migrate")
def migrate_command(
    database: Which = PRIMARY,
    post: Annotated[
        bool, typer.Option("--post", help="Also what older releases could not bear; refused while one runs.")
    ] = False,
    show: Annotated[bool, typer.Option("--plan", help="Show what would run, and change nothing.")] = False,
    changed: Annotated[
        list[str] | None, typer.Option(help="A view whose meaning may change though datasets or models rest on it.")
    ] = None,
    json: Json = False,
) -> None:
    """Create what is missing: tables, migrations, views; writers may write. Example: ares db migrate --plan"""
    context = ServiceContext(load_config(), SystemClock(), "cli")
    if show:
        print_rows(asyncio.run(_planned(context.config, database)), json=json)
        return
    wish = Wish(post=post, changed=tuple(changed or ()))
    applied = asyncio.run(migrate_schema(context, database, wish, report=console.print))
    console.print(
        f"{applied.tables} tables in place, {len(applied.migrations)} migrations run, "
        f"{len(applied.views)} views deployed"
    )
    for name in applied.waiting:
        console.print(f"waits until no older release runs: {name} (ares db migrate --post)", soft_wrap=True)


async def _planned(config: AresConfig, name: str) -> list[dict[str, object]]:
    async with await Database.connect(database_named(config.database, name), readonly=True) as pool:
        return [each.shown() for each in await plan(pool)]


@app.command()
def status(database: Which = PRIMARY, json: Json = False) -> None:
    """Tables with their WAL lag, views with their state, migrations that wait. Example: ares db status --json"""

    async def read(config: AresConfig) -> list[Record]:
        async with await Database.connect(database_named(config.database, database), readonly=True) as pool:
            return await storage_health(pool) + await waiting_migrations(pool)

    print_rows(asyncio.run(read(load_config())), json=json)


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="One statement; the read-only user runs it.")],
    database: Which = PRIMARY,
    json: Json = False,
) -> None:
    """Run a query as the read-only user. Example: ares db sql "SELECT * FROM bars_1m LIMIT -5" """

    async def read(config: AresConfig) -> list[Record]:
        target = database_named(config.database, database)
        async with await Database.connect(target, readonly=True, ours=False) as pool:
            return await pool.fetch(query)

    print_rows(asyncio.run(read(load_config())), json=json)


@app.command("console")
def console_command() -> None:
    """Print the address of QuestDB's web console. Example: ares db console"""
    config = load_config()
    console.print(console_address(config))
    console.print(psql_command(config), soft_wrap=True)


def console_address(config: AresConfig) -> str:
    """Where a browser finds QuestDB."""
    return f"{scheme(config.database)}://{config.database.host}:{config.database.http_port}"


def psql_command(config: AresConfig) -> str:
    """How psql gets in, as the read-only user."""
    database = config.database
    if database.tls != "verified":
        return f"psql -h {database.host} -p {database.pg_port} -U {database.readonly_user} qdb"
    words = {"host": database.host, "port": database.pg_port, "user": database.readonly_user, "dbname": "qdb"}
    return f'psql "{" ".join(f"{name}={value}" for name, value in (words | pg_encryption(database)).items())}"'
