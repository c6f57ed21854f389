"""Many rows at once over HTTP: as Parquet into a file, or as the text that clients read, told apart by a hash."""

from __future__ import annotations

import hashlib
import http.client
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import orjson
from psycopg import sql as quoting

from ares.clock import to_datetime
from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.store import pool
from ares.store.http import ANSWER_BYTES_MAX, login
from ares.store.http import connection as connection_to

COPY_BYTES = 1024 * 1024
EXPORT_S_MAX = 600.0
"""Without a byte: the server writes the whole answer before it sends the first."""


class Number(NamedTuple):
    """A parameter that is a whole number: a bare integer is a time."""

    value: int


class Names(NamedTuple):
    """A parameter that is a list of texts, for `IN`; one at least."""

    values: tuple[str, ...]


class Places(NamedTuple):
    """A parameter that says which number each of some texts has, for `CASE column ... END`; one at least."""

    numbers: Mapping[str, int]


ExportParam = str | int | Number | Names | Places


class ParquetExport:
    """Fetches answers as Parquet files. QuestDB knows one user over HTTP, so only statements of ours are sent here."""

    def __init__(self, config: DatabaseConfig, timeout_s: float = EXPORT_S_MAX) -> None:
        self._config = config
        self._timeout_s = timeout_s

    def fetch(self, sql: str, params: Mapping[str, ExportParam], path: Path) -> int:
        """Write the rows to `path`; returns its bytes. An integer parameter is a time, UTC ns.

        Raises `StoreUnavailable` (ask again) or `StoreRejected` (the statement is wrong). A file that was begun and
        not finished is removed.
        """
        statement = sql % {name: _literal(value) for name, value in params.items()}
        connection = connection_to(self._config, self._timeout_s)
        try:
            self._fetch(connection, statement, path)
        except (OSError, http.client.HTTPException) as error:
            path.unlink(missing_ok=True)
            raise StoreUnavailable(f"QuestDB did not send the rows: {type(error).__name__}: {error}") from None
        finally:
            connection.close()
        return path.stat().st_size

    def _fetch(self, connection: http.client.HTTPConnection, statement: str, path: Path) -> None:
        query = urlencode({"query": pool.as_ours(statement), "fmt": "parquet", "compression_codec": "lz4_raw"})
        connection.request("GET", f"/exp?{query}", headers=_headers(self._config, self._timeout_s))
        answer = connection.getresponse()
        if answer.status >= 500:
            raise http.client.HTTPException(f"{answer.status} {_reason(answer.read(ANSWER_BYTES_MAX))}")
        if answer.status >= 300:
            reason = _reason(answer.read(ANSWER_BYTES_MAX))
            raise StoreRejected(f"QuestDB refused: {answer.status} {reason} in: {' '.join(statement.split())[:200]}")
        with path.open("wb") as file:
            shutil.copyfileobj(answer, file, COPY_BYTES)


def digest_of_rows(config: DatabaseConfig, sql: str, timeout_s: float) -> str:
    """SHA-256 over the CSV of a query's rows in their order; memory holds a block of it.

    Raises `StoreUnavailable` where the answer does not come or breaks off, `StoreRejected` where QuestDB refuses.
    """
    connection = connection_to(config, timeout_s)
    try:
        connection.request(
            "GET", f"/exp?{urlencode({'nm': 'true', 'query': pool.as_ours(sql)})}", headers=_headers(config, timeout_s)
        )
        with connection.getresponse() as answer:
            if answer.status >= 300:
                raise StoreRejected(f"QuestDB refused: {answer.status} {_reason(answer.read(ANSWER_BYTES_MAX))}")
            digest = hashlib.sha256()
            while block := answer.read(COPY_BYTES):
                digest.update(block)
            return digest.hexdigest()
    except (OSError, http.client.HTTPException) as error:
        raise StoreUnavailable(f"QuestDB did not answer: {type(error).__name__}: {error}") from None
    finally:
        connection.close()


def _headers(config: DatabaseConfig, timeout_s: float) -> Mapping[str, str]:
    return {**login(config), "Statement-Timeout": str(pool.server_gives_up_ms(timeout_s))}


def _literal(value: ExportParam) -> str:
    """As SQL says it; of a time the nanoseconds are cut: bounds of spans are whole seconds."""
    match value:
        case str():
            return _text(value)
        case Number(number):
            return str(int(number))
        case Names(texts):
            return f"({', '.join(map(_text, texts))})"
        case Places(numbers):
            return " ".join(f"WHEN {_text(text)} THEN {int(number)}" for text, number in numbers.items())
    return f"'{to_datetime(value).strftime('%Y-%m-%dT%H:%M:%S.%fZ')}'"


def _text(value: str) -> str:
    return quoting.Literal(value).as_string(None)


def _reason(answer: bytes) -> str:
    try:
        return str(orjson.loads(answer)["error"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return answer.decode(errors="replace").strip()
