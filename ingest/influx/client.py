"""The only door to `influxdb_client`: InfluxDB's HTTP API, version 2; its failures become ours.

https://docs.influxdata.com/influxdb/v2/api/v2/ ; InfluxDB 1.8 and QuestDB understand parts of it.
"""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Literal, TypeVar

import urllib3
from influxdb_client import Dialect, InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from pydantic import SecretStr

from ares.errors import CopyDenied, CopyRejected, CopyUnavailable, StoreError
from ares.redaction import redact

T = TypeVar("T")
DENIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED})
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
PARTIAL = re.compile(r"partial write.*?dropped=(\d+)", re.DOTALL)
"""How InfluxDB says that it took the points but for so many: beyond the bucket's retention, or of another type."""
ANSWER_CHARACTERS_MAX = 300
DIALECT = Dialect(annotations=["datatype", "group", "default"], header=True, delimiter=",")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an InfluxDB is and how it is asked; `auth` basic: the token is user:password."""

    url: str
    org: str
    bucket: str
    token: SecretStr | None = None
    auth: Literal["token", "basic"] = "token"
    ca_file: Path | None = None
    timeout_s: float = 10.0


class Influx:
    """A connection; calls happen one after the other in a thread of its own.

    All raise `CopyUnavailable` (trying again may help), `CopyDenied` (nothing will be taken before somebody mends the
    settings) or `CopyRejected` (what was sent will never be taken).
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="influx")
        token = endpoint.token.get_secret_value() if endpoint.token else ""
        self._client = InfluxDBClient(
            endpoint.url,
            token,
            org=endpoint.org or "-",
            timeout=round(endpoint.timeout_s * 1_000),
            auth_basic=endpoint.auth == "basic",
            ssl_ca_cert=None if endpoint.ca_file is None else str(endpoint.ca_file),
        )
        self._writes = self._client.write_api(write_options=SYNCHRONOUS)

    async def write(self, lines: bytes) -> None:
        """Returns once the server has all points."""

        def write() -> None:
            with _translated(self.endpoint):
                self._writes.write(self.endpoint.bucket, record=lines, write_precision="ns")

        await self._in_its_thread(write)

    @contextmanager
    def query(self, flux: str) -> Iterator[io.TextIOBase]:
        """The answer to a Flux query as annotated CSV, while it comes. Blocks: for callers without an event loop."""
        with _translated(self.endpoint):
            answer = self._client.query_api().query_raw(flux, dialect=DIALECT)
            try:
                if answer.status >= HTTPStatus.BAD_REQUEST:
                    raise ApiException(http_resp=answer)
                answer.auto_close = False  # or it counts as closed before the last line was taken from the buffer
                yield io.TextIOWrapper(answer, encoding="utf-8", newline="")
            finally:
                answer.close()

    async def close(self) -> None:
        """Nothing is buffered here, so nothing is lost."""
        await asyncio.to_thread(self.close_sync)

    def close_sync(self) -> None:
        """`close` for callers without an event loop."""
        self._thread.shutdown(wait=True)
        self._client.close()

    async def _in_its_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@contextmanager
def _translated(endpoint: Endpoint) -> Iterator[None]:
    where = f"InfluxDB at {endpoint.url}"
    try:
        yield
    except ApiException as error:
        raise _of_status(where, endpoint, error) from None
    except (urllib3.exceptions.HTTPError, OSError) as error:
        cause = redact(" ".join(str(error).split()))[:ANSWER_CHARACTERS_MAX]
        raise CopyUnavailable(f"{where} does not answer: {type(error).__name__}: {cause}") from None


def _of_status(where: str, endpoint: Endpoint, error: ApiException) -> StoreError:
    status = int(error.status or 0)
    body = error.body.decode("utf-8", "replace") if isinstance(error.body, bytes) else str(error.body or "")
    answer = f"{status} {' '.join((body or str(error.reason)).split())[:ANSWER_CHARACTERS_MAX]}"
    if status in DENIED:
        meant = f"org {endpoint.org!r}, bucket {endpoint.bucket!r}"
        return CopyDenied(f"{where} does not let us in: {answer}. Mend influx.token, or {meant}")
    if status in LATER or not HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return CopyUnavailable(f"{where} did not acknowledge: {answer}", _retry_after_s(error))
    partial = PARTIAL.search(body)
    too_large = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return CopyRejected(f"{where} refused: {answer}", int(partial[1]) if partial else None, too_large=too_large)


def _retry_after_s(error: ApiException) -> float | None:
    """In seconds; a date, which the header may hold as well, is passed over."""
    said = (error.headers or {}).get("Retry-After", "")
    return float(said) if re.fullmatch(r"\d{1,6}", said) else None
