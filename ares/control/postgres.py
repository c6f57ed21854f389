"""What a Postgres says of itself, and how its own programs are told where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Self

from sqlalchemy import Connection, NullPool, create_engine, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from ares.errors import ConfigError, ControlUnavailable

Facts = Mapping[str, object]
Values = Mapping[str, str | int]
Ask = Callable[[str, Values], list[Facts]]

CONNECT_S_MAX = 10
FROZEN_MS_MAX = 10_000
"""A Postgres ends a write whose process was frozen for so long: it would hold up all others, and whoever is to lead."""


def is_postgres(url: str) -> bool:
    """Whether a store's URL leads to a Postgres; one that nobody can read leads nowhere."""
    try:
        return make_url(url).get_backend_name() == "postgresql"
    except ArgumentError:
        return False


def ends_when_frozen(connection: Connection) -> None:
    """For a store's writes, as they begin. Readers hold up nobody, and may take their time between rows."""
    if not connection.get_execution_options().get("ares_reads", False):
        ends = text("SELECT set_config('idle_in_transaction_session_timeout', :ms, true)")
        connection.execute(ends, {"ms": str(FROZEN_MS_MAX)})


@contextmanager
def asking(url: str) -> Iterator[Ask]:
    """One connection to ask on, each statement committed by itself.

    Raises `ControlUnavailable` if the server is away or refuses something.
    """
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield lambda statement, values: [
                dict(row) for row in connection.execute(text(statement), values).mappings()
            ]
    except SQLAlchemyError as error:
        raise ControlUnavailable(f"control store {engine.url!r}: {getattr(error, 'orig', None) or error}") from None
    finally:
        engine.dispose()


def ask(url: str, statement: str, values: Values | None = None) -> list[Facts]:
    """The answer to one statement. Raises `ControlUnavailable`."""
    with asking(url) as answer:
        return answer(statement, values or {})


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Postgres is, as libpq writes it, and apart from that the password, which must not be seen."""

    settings: tuple[tuple[str, str], ...]
    password: str

    @classmethod
    def of(cls, url: str) -> Self:
        """What the store itself connects with. Raises `ConfigError` for a URL that its programs cannot be told."""
        try:
            parsed = make_url(url)
            _, given = parsed.get_dialect()().create_connect_args(parsed)
        except (ArgumentError, NoSuchModuleError, ModuleNotFoundError):
            raise ConfigError("control.url", "(hidden)", "not a database URL", "See docs/reference/config.md") from None
        settings = {name: str(value) for name, value in given.items() if name not in ("password", "dbname")}
        if "sslpassword" in settings:
            way_out = "Leave it out, and give the key of a certificate no passphrase, but mode 0600"
            raise ConfigError("control.url", "(hidden)", "sslpassword would be seen in a list of processes", way_out)
        settings.setdefault("connect_timeout", str(CONNECT_S_MAX))
        return cls(tuple(settings.items()), str(given.get("password", "")))

    def conninfo(self, **more: str) -> str:
        """For arguments of programs: without the password."""
        settings = {**dict(self.settings), **more}
        return " ".join(f"{name}='{_escaped(value)}'" for name, value in settings.items())


def socket_url(folder: str, database: str, user: str) -> str:
    """The store of a Postgres that is to be reached through a socket in a folder only."""
    url = URL.create("postgresql+psycopg", username=user, database=database, query={"host": folder})
    return url.render_as_string(hide_password=False)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
