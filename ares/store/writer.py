"""Acknowledged writes: ILP over HTTP, a batch at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Protocol, cast

import numpy as np
from questdb import QuestDBError, Sender, TimestampNanos

from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.row import Cell, Row, UtcNs
from ares.store.encryption import ilp_encryption, scheme

IlpValue = bool | int | float | str | Decimal | TimestampNanos | np.ndarray[tuple[int, ...], np.dtype[np.float64]]

REJECTED_CODES = frozenset(
    {"AuthError", "ArrayError", "BadDataFrame", "ConfigError", "DecimalError", "InvalidApiCall", "InvalidName"}
    | {"InvalidTimestamp", "InvalidUtf8", "BatchTooLarge", "ProtocolVersionError"}
)
REFUSALS = ('"code":"invalid"', "Bad request", "400", "401", "403", "413", "404")
"""Marks of an answer that will be the same next time; every other failure may pass."""


class IlpClient(Protocol):
    """What we use of questdb's Sender."""

    def establish(self) -> None: ...
    def row(
        self, table: str, /, *, symbols: dict[str, str], columns: dict[str, IlpValue], at: TimestampNanos
    ) -> object: ...
    def flush(self) -> None: ...
    def close(self, flush: bool) -> None: ...


class RowWriter:
    """Writes batches of `Row`; `write` returns when QuestDB's WAL has every one of them.

    A batch that failed may be written again whole: the tables' DEDUP keys make it one row each. Writes of one writer
    happen one after the other, in a thread of its own, so that the event loop never waits for the network.
    """

    def __init__(self, config: DatabaseConfig) -> None:
        self._config = config
        self._sender: IlpClient | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ilp")

    async def write(self, rows: Sequence[Row]) -> None:
        """Raises `StoreUnavailable` (write the same batch again) or `StoreRejected` (it will never be accepted)."""
        if rows:
            await asyncio.get_running_loop().run_in_executor(self._thread, self.write_sync, rows)

    def write_sync(self, rows: Sequence[Row]) -> None:
        """`write` for callers without an event loop."""
        try:
            sender = self._connected()
            for row in rows:
                sender.row(row.table, symbols=dict(row.symbols), columns=_columns(row.columns), at=_nanos(row.ts_ns))
            sender.flush()
        except QuestDBError as error:
            self._drop_connection()
            raise _translated(error) from None

    async def close(self) -> None:
        """Close the connection; nothing is buffered here, so nothing is lost."""
        self.close_sync()

    def close_sync(self) -> None:
        """`close` for callers without an event loop."""
        self._thread.shutdown(wait=True)
        self._drop_connection()

    def _connected(self) -> IlpClient:
        if self._sender is None:
            sender = cast("IlpClient", Sender.from_conf(self._conf()))
            sender.establish()
            self._sender = sender
        return self._sender

    def _drop_connection(self) -> None:
        if self._sender is not None:
            self._sender.close(False)  # noqa: FBT003 - positional-only in the client: do not flush what failed
            self._sender = None

    def _conf(self) -> str:
        config = self._config
        return (
            f"{scheme(config)}::addr={config.host}:{config.http_port};username={config.user};{ilp_encryption(config)}"
            f"password={config.password.get_secret_value()};auto_flush=off;protocol_version=3;"
            f"retry_timeout=0;request_timeout={round(config.write_timeout_s * 1000)};"
        )


def _nanos(ns: int) -> TimestampNanos:
    return TimestampNanos(ns)


def _columns(columns: Mapping[str, Cell]) -> dict[str, IlpValue]:
    return {name: _value(cell) for name, cell in columns.items() if cell is not None}


def _value(cell: bool | float | str | Decimal | UtcNs | Sequence[Sequence[float]]) -> IlpValue:
    if isinstance(cell, UtcNs):
        return TimestampNanos(cell)
    if isinstance(cell, bool | int | float | str | Decimal):
        return cell
    return np.asarray(cell, dtype=np.float64)


def _translated(error: QuestDBError) -> StoreUnavailable | StoreRejected:
    message = str(error)
    refused = error.code.name in REJECTED_CODES or (
        error.code.name == "ServerFlushError" and any(mark in message for mark in REFUSALS)
    )
    if refused:
        return StoreRejected(f"QuestDB refused the batch: {message}")
    return StoreUnavailable(f"QuestDB did not acknowledge: {message}")
