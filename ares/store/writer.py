"""Acknowledged writes: line protocol over HTTP, a batch at a time."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext

from questdb import QuestDBError

from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.market import Entry, rows_in
from ares.store.http import ANSWER_BYTES_MAX, connection, login
from ares.store.lines import BLOCK_ROWS, Lines

PATH = "/write?precision=n"
Body = bytes | Iterator[bytes]
LATER = frozenset({408, 425, 429})
"""Refusals of this moment; every other 4xx will be the same next time."""


class RowWriter:
    """Writes batches of rows; `write` returns when QuestDB's WAL has every one of them.

    A batch that failed may be written again whole: the tables' DEDUP keys make it one row each. Writes of one writer
    happen one after the other, in a thread of its own, so that the event loop never waits for the network. A large
    batch is one request all the same, sent in blocks, of which the server reads one while we write the next.
    Writers that share a `turn` send one at a time.
    """

    def __init__(self, config: DatabaseConfig, turn: AbstractContextManager[object] | None = None) -> None:
        self._config = config
        self._turn = turn or nullcontext()
        self._lines: Lines | None = None
        self._connection: http.client.HTTPConnection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ilp")

    async def write(self, rows: Sequence[Entry]) -> None:
        """Raises `StoreUnavailable` (write the same batch again) or `StoreRejected` (it will never be accepted)."""
        if rows:
            await asyncio.get_running_loop().run_in_executor(self._thread, self.write_sync, rows)

    def write_sync(self, rows: Sequence[Entry]) -> None:
        """`write` for callers without an event loop."""
        lines = self._lines = self._lines or Lines()
        try:
            ready = lines.of(rows) if rows_in(rows) <= BLOCK_ROWS else None
            with self._turn:
                self._post(lambda: lines.blocks(rows) if ready is None else ready)
        except (QuestDBError, OverflowError) as error:
            self._drop_connection()
            raise StoreRejected(f"no line can hold this row: {error}") from None

    async def close(self) -> None:
        """Close the connection; nothing is buffered here, so nothing is lost."""
        self.close_sync()

    def close_sync(self) -> None:
        """`close` for callers without an event loop."""
        self._thread.shutdown(wait=True)
        self._drop_connection()

    def _post(self, body: Callable[[], Body]) -> None:
        try:
            status, answer = self._answer(body)
        except (OSError, http.client.HTTPException) as error:
            self._drop_connection()
            raise StoreUnavailable(f"QuestDB did not acknowledge: {type(error).__name__}: {error}") from None
        if status < 300:
            return
        self._drop_connection()
        if 400 <= status < 500 and status not in LATER:
            raise StoreRejected(f"QuestDB refused the batch: {status} {answer}")
        raise StoreUnavailable(f"QuestDB did not acknowledge: {status} {answer}")

    def _answer(self, body: Callable[[], Body]) -> tuple[int, str]:
        """Status and text of the answer. A kept connection that the server closed meanwhile is opened once more."""
        kept = self._connection is not None
        try:
            return self._ask(body())
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError):
            self._drop_connection()
            if not kept:
                raise
            return self._ask(body())

    def _ask(self, body: Body) -> tuple[int, str]:
        connected = self._connected()
        connected.request("POST", PATH, body, {**login(self._config), "Content-Type": "text/plain"})
        with connected.getresponse() as response:
            return response.status, response.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            self._connection = connection(self._config, self._config.write_timeout_s)
        return self._connection

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
