"""`ares db dsn`: how notebooks, psql and other programs get in, as the read-only user."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import quote, urlencode

import typer

from ares.commands.output import console, print_rows
from ares.config import AresConfig, load_config
from ares.config.replicas import PRIMARY
from ares.config.settings import DatabaseConfig
from ares.errors import UsageError
from ares.files import write_whole
from ares.store.encryption import pg_encryption
from ares.store.replicas import database_named

DATABASE_NAME = "qdb"
EXAMPLE = "SELECT * FROM bars_1h LIMIT -5"
HOW_TO_GET_IN = "export PGPASSWORD=…, which is database.readonly_password; or --passfile FILE, or --show-password"


def dsn_command(
    database: Annotated[str, typer.Option("--database", help="The primary, or a replica by its name.")] = PRIMARY,
    passfile: Annotated[
        Path | None, typer.Option(help="Write the password into this file (mode 0600), and name the file in the DSN.")
    ] = None,
    show_password: Annotated[bool, typer.Option("--show-password", help="Put the password into the DSN.")] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON instead of a table.")] = False,
) -> None:
    """The read-only DSN, and lines for psql and notebooks. Example: ares db dsn --passfile ~/.ares.pgpass"""
    if passfile is not None and show_password:
        raise UsageError("passfile and show-password: the password goes to one place. Choose either")
    config = load_config()
    target = database_named(config.database, database)
    if passfile is not None:
        write_passfile(target, passfile)
    rows = lines(target, deadline_s(config), passfile=passfile, password=show_password)
    if json:
        print_rows([rows], json=True)
        return
    for name, line in rows.items():
        console.print(f"{name}:", style="bold")
        console.print(f"  {line}", markup=False, soft_wrap=True)


def deadline_s(config: AresConfig) -> float:
    """When QuestDB itself ends a statement that came by this DSN."""
    return config.analysts.statement_s_max


def dsn(config: DatabaseConfig, seconds_max: float, *, passfile: Path | None = None, password: bool = False) -> str:
    """A URL of libpq for the read-only user, with the deadline of its statements; the password only if wanted."""
    user = quote(config.readonly_user, safe="")
    if password:
        user += f":{quote(config.readonly_password.get_secret_value(), safe='')}"
    host = f"[{config.host}]" if ":" in config.host else config.host
    options = {**pg_encryption(config), "options": f"-c statement_timeout={round(seconds_max * 1_000)}"}
    if passfile is not None:
        options["passfile"] = str(passfile.resolve())
    return f"postgresql://{user}@{host}:{config.pg_port}/{DATABASE_NAME}?{urlencode(options, quote_via=quote)}"


def lines(
    config: DatabaseConfig, seconds_max: float, *, passfile: Path | None = None, password: bool = False
) -> dict[str, str]:
    """The DSN and lines that work as they stand, once the password is known to the program."""
    url = dsn(config, seconds_max, passfile=passfile, password=password)
    engine = url.replace("postgresql://", "postgresql+psycopg://", 1)
    settings = "isolation_level='AUTOCOMMIT', use_native_hstore=False"  # QuestDB has no hstore to look for
    shown = {
        "dsn": url,
        "psql": f"psql '{url}' -c '{EXAMPLE}'",
        "psycopg": f"import psycopg; connection = psycopg.connect('{url}', autocommit=True); "
        f"rows = connection.execute('{EXAMPLE}').fetchall()",
        "sqlalchemy": f"import sqlalchemy; engine = sqlalchemy.create_engine('{engine}', {settings}); "
        f"connection = engine.connect(); rows = connection.execute(sqlalchemy.text('{EXAMPLE}')).fetchall()",
        "pandas": f"import pandas, sqlalchemy; engine = sqlalchemy.create_engine('{engine}', {settings}); "
        f"connection = engine.connect(); rows = pandas.read_sql('{EXAMPLE}', connection)",
    }
    return shown if password or passfile is not None else {**shown, "password": HOW_TO_GET_IN}


def write_passfile(config: DatabaseConfig, path: Path) -> None:
    """A password file of libpq for this user at this server. Raises `UsageError` if it cannot be written."""
    place = [config.host, str(config.pg_port), DATABASE_NAME, config.readonly_user]
    place.append(config.readonly_password.get_secret_value())
    text = ":".join(part.replace("\\", "\\\\").replace(":", "\\:") for part in place)
    try:
        write_whole(path, f"{text}\n".encode(), 0o600)
    except OSError as error:
        raise UsageError(f"passfile = {path}: {error.strerror}. Name a file in a folder that you may write") from None
