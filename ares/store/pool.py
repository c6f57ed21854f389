"""Reads over QuestDB's PostgreSQL wire: an async pool, records as dicts, errors as ours."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from types import TracebackType
from typing import Self, cast
from weakref import WeakKeyDictionary

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.store.encryption import pg_encryption
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
"""It reports every failed attempt; whoever asked gets `StoreUnavailable`, and says it once."""

Value = str | int | float | bool | Decimal | datetime | list["Value"] | None
Param = str | int | float | bool | Decimal | datetime | None
Record = dict[str, Value]

Connection = psycopg.AsyncConnection[DictRow]
APPLIED_POLL_S = 0.004
SERVER_LATER_S = 1.0
"""So much later than we QuestDB gives a statement up. Its own limit is 60 s, which a checkpoint may well need."""

IDLE_S_MAX = 1.0
"""A connection that nobody used for longer is asked whether it still works before it is lent."""

OURS = "/* ares */"
"""Behind a statement says that Ares sent it: QuestDB names its writing user for everybody's, and drops what stands
before one. No secret and no right: `ares.service.analysts` spares what has it, which has a deadline of its own."""

_WAL = """SELECT name, suspended, errorTag || ' ' || errorMessage AS cause, writerTxn, sequencerTxn FROM wal_tables()"""
_ASKS = re.compile(r"(?:\s|--[^\n]*\n)*(?:SELECT|WITH|DECLARE)\b", re.IGNORECASE)


def as_ours(sql: str) -> str:
    """A statement that says so, if it asks; what writes is nobody's but ours anyway."""
    return f"{sql}\n{OURS}" if _ASKS.match(sql) else sql


def server_gives_up_ms(statement_s_max: float) -> int:
    """When QuestDB is to end a statement that we stop waiting for after so many seconds."""
    return round((statement_s_max + SERVER_LATER_S) * 1_000)


class Database:
    """A pool of connections, autocommit, parameters bound on the client so that they may stand in DECLARE too.

    >>> async with await Database.connect(config.database) as database:
    ...     rows = await database.fetch("SELECT * FROM trades WHERE symbol = %(symbol)s", {"symbol": "BTC/USDT"})

    TIMESTAMP columns arrive as naive UTC datetimes of microseconds: select `ts::long` where nanoseconds matter.
    Raises `StoreUnavailable` when QuestDB cannot be reached, `StoreRejected` when it refuses a statement.
    """

    def __init__(
        self, pool: AsyncConnectionPool[Connection], statement_s_max: float, slow_s: float, *, ours: bool = True
    ) -> None:
        self._pool = pool
        self._statement_s_max = statement_s_max
        self._slow_s = slow_s
        self._ours = ours

    @classmethod
    async def connect(cls, config: DatabaseConfig, *, readonly: bool = False, ours: bool = True) -> Self:
        """Open a pool; returns once one connection works. `ours`: not for what somebody typed."""
        user = config.readonly_user if readonly else config.user
        secret = config.readonly_password if readonly else config.password
        target: dict[str, str | int] = {
            "host": config.host,
            "port": config.pg_port,
            "user": user,
            "password": secret.get_secret_value(),
            "dbname": "qdb",
            "connect_timeout": 5,
            "options": f"-c statement_timeout={server_gives_up_ms(config.statement_s_max)}",
            **pg_encryption(config),
        }
        pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo=make_conninfo("", **target),
            kwargs={"autocommit": True, "cursor_factory": psycopg.AsyncClientCursor, "row_factory": dict_row},
            min_size=1,
            max_size=config.pool_size_max,
            open=False,
            check=IdleCheck(),
            reconnect_timeout=5,
        )
        try:
            await pool.open(wait=True, timeout=config.connect_s_max)
        except (PoolTimeout, psycopg.OperationalError) as error:
            await pool.close()
            cause = await _why(make_conninfo("", **target)) or str(error)
            raise StoreUnavailable(f"QuestDB at {config.host}:{config.pg_port} cannot be reached: {cause}") from None
        except asyncio.CancelledError:
            await pool.close()
            raise
        return cls(pool, config.statement_s_max, config.slow_statement_s, ours=ours)

    async def fetch(self, sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
        """All rows of a query."""
        async with self._cursor(sql, params) as cursor:
            return cast("list[Record]", await cursor.fetchall())

    async def fetch_one(self, sql: str, params: Mapping[str, Param] | None = None) -> Record | None:
        """The first row of a query, or None."""
        rows = await self.fetch(sql, params)
        return rows[0] if rows else None

    async def fetch_first(self, sql: str, rows_max: int) -> tuple[list[Record], bool]:
        """The first rows of a query and whether there are more, which then are not even asked for."""
        rows: list[Record] = []
        async with self._lent(sql) as connection:
            found = cast("AsyncGenerator[Record, None]", connection.cursor().stream(self._signed(sql)))
            async with aclosing(found):
                async for row in found:
                    if len(rows) == rows_max:
                        return rows, True
                    rows.append(row)
        return rows, False

    async def execute(self, sql: str, params: Mapping[str, Param] | None = None) -> None:
        """A statement without rows."""
        async with self._cursor(sql, params):
            pass

    async def wait_applied(self, tables: Iterable[str] | None, timeout_s: float = 10.0) -> None:
        """Return once all that was committed to these WAL tables (None: to all) before the call can be read.

        Raises `StoreUnavailable` after `timeout_s`, or where QuestDB stopped applying to one (its disk is full).
        """
        wanted = None if tables is None else set(tables)
        due: dict[str, int] = {}
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            rows = await self.fetch(_WAL)
            rows = [row for row in rows if wanted is None or row["name"] in wanted]
            due = due or {as_str(row["name"]): as_int(row["sequencerTxn"]) for row in rows}
            behind = [row for row in rows if as_int(row["writerTxn"]) < due.get(as_str(row["name"]), 0)]
            if suspended := suspended_tables(behind):
                raise StoreUnavailable(f"WAL of {suspended} is suspended: writes are kept but nobody sees them")
            if not behind:
                return
            if asyncio.get_running_loop().time() > deadline:
                raise StoreUnavailable(f"WAL not applied after {timeout_s} s: {sorted(str(r['name']) for r in behind)}")
            await asyncio.sleep(APPLIED_POLL_S)

    async def close(self) -> None:
        await self._pool.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @asynccontextmanager
    async def _cursor(
        self, sql: str, params: Mapping[str, Param] | None
    ) -> AsyncIterator[psycopg.AsyncCursor[DictRow]]:
        async with self._lent(sql) as connection:
            yield await connection.execute(self._signed(sql), _bind(params))

    def _signed(self, sql: str) -> str:
        return as_ours(sql) if self._ours else sql

    @asynccontextmanager
    async def _lent(self, sql: str) -> AsyncIterator[Connection]:
        """A connection for a statement; what the driver raises becomes ours here."""
        loop = asyncio.get_running_loop()
        began_s, ended_before = loop.time(), _ends_asked()
        try:
            async with asyncio.timeout(self._statement_s_max), self._pool.connection(timeout=10) as connection:
                if _ends_asked() > ended_before:
                    raise asyncio.CancelledError  # the pool waits by `wait_for`, which may lose it before Python 3.12
                yield connection
        except (PoolTimeout, psycopg.OperationalError, TimeoutError) as error:
            raise StoreUnavailable(f"QuestDB did not answer: {str(error) or 'statement timed out'}") from error
        except psycopg.Error as error:
            raise StoreRejected(f"QuestDB refused: {str(error).strip()} in: {_excerpt(sql)}") from error
        finally:
            self._note(sql, loop.time() - began_s)

    def _note(self, sql: str, seconds: float) -> None:
        """Waiting for a connection counts: to whoever asked it is the same. Parameters stay out of the log."""
        metrics.STATEMENT_SECONDS.observe(seconds)
        metrics.POOL_CONNECTIONS.set(self._pool.get_stats().get("pool_size", 0))
        metrics.POOL_WAITING.set(self._pool.get_stats().get("requests_waiting", 0))
        if seconds >= self._slow_s:
            metrics.SLOW_STATEMENTS.inc()
            log.warning("slow_statement", seconds=round(seconds, 3), statement=_excerpt(sql))


def _ends_asked() -> int:
    """How often this task was asked to end and did not yet."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()


class IdleCheck:
    """Looks whether a connection still works, where it was not lent for `IDLE_S_MAX`: looking costs a whole round."""

    def __init__(self) -> None:
        self._lent_at_s: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()

    async def __call__(self, connection: Connection) -> None:
        """Raises `psycopg.OperationalError` for a connection that is broken."""
        now_s = asyncio.get_running_loop().time()
        if now_s - self._lent_at_s.get(connection, 0.0) > IDLE_S_MAX:
            await AsyncConnectionPool.check_connection(connection)
        self._lent_at_s[connection] = now_s


async def _why(conninfo: str) -> str:
    """What a single attempt to connect runs into: a pool only says that its time was up. Empty if it works now."""
    try:
        await (await psycopg.AsyncConnection.connect(conninfo)).close()
    except psycopg.OperationalError as error:
        return " ".join(str(error).split())
    return ""


def _bind(params: Mapping[str, Param] | None) -> Mapping[str, Param] | None:
    if params is None:
        return None
    return {name: _naive_utc(value) if isinstance(value, datetime) else value for name, value in params.items()}


def _naive_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _excerpt(sql: str, characters_max: int = 200) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= characters_max else line[: characters_max - 1] + "…"


def suspended_tables(rows: Iterable[Record]) -> str:
    """The tables of `wal_tables()` that QuestDB stopped applying to, each with its reason (`cause`); "" if none."""
    return ", ".join(sorted(f"{row['name']} ({str(row['cause']).strip()})" for row in rows if row["suspended"]))


def as_str(value: object) -> str:
    """A cell that must hold text."""
    assert isinstance(value, str), f"text expected, not {value!r}"
    return value


def as_int(value: object) -> int:
    """A cell that must hold an integer."""
    assert isinstance(value, int), f"integer expected, not {value!r}"
    return value


def as_float(value: object) -> float:
    """A cell that must hold a number."""
    assert isinstance(value, int | float), f"number expected, not {value!r}"
    return float(value)
