"""Pages as JSON, CSV or Arrow, as the caller accepts; with an ETag, so that what did not change is not sent again."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus

import orjson
import pyarrow as pa
import pyarrow.ipc
from fastapi import Request, Response

from api.cells import Cell, Column, Kind, written
from api.problem import problem
from ares.store import Record

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
_ARROW: Mapping[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.TIME: pa.timestamp("ns", "UTC"),
    Kind.DECIMAL: pa.decimal128(38, 10),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.FLAG: pa.bool_(),
}


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of some columns, and where the next page begins (empty: nowhere)."""

    columns: Sequence[Column]
    rows: Sequence[Record]
    following: str = ""


def answer(request: Request, page: Page) -> Response:
    """The page in the first format that the caller accepts; 304 if they have it, 406 if there is none."""
    media_type = accepted(request.headers.get("Accept", "*/*"))
    if media_type is None:
        known = ", ".join(_WRITERS)
        return problem(HTTPStatus.NOT_ACCEPTABLE, "not_acceptable", f"Accept: one of {known} is to be had")
    body = _WRITERS[media_type](page)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization"}
    if page.following:
        following = request.url.include_query_params(cursor=page.following)
        headers["Link"] = f'<{following.path}?{following.query}>; rel="next"'
    if etag in {each.strip().removeprefix("W/") for each in request.headers.get("If-None-Match", "").split(",")}:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, HTTPStatus.OK, headers, media_type)


def accepted(header: str) -> str | None:
    """The format that a caller likes best of those we have (RFC 9110, 12.5.1); of equals JSON.

    >>> accepted("text/csv;q=0.5, application/*"), accepted("text/*"), accepted("image/png")
    ('application/json', 'text/csv', None)
    """
    best: tuple[float, str] | None = None
    for media_type in _WRITERS:
        quality = _quality(header, media_type)
        if quality > 0 and (best is None or quality > best[0]):
            best = (quality, media_type)
    return None if best is None else best[1]


def _quality(header: str, media_type: str) -> float:
    """How much a caller likes a format: what the most exact of their wishes that fits says."""
    found: tuple[int, float] = (-1, 0.0)
    for wish in header.split(","):
        name, *parameters = (part.strip().lower() for part in wish.split(";"))
        kind = media_type.partition("/")[0]
        exactness = {media_type: 2, f"{kind}/*": 1, "*/*": 0}.get(name, -1)
        if exactness > found[0]:
            found = (exactness, _weight(parameters))
    return found[1]


def _weight(parameters: Sequence[str]) -> float:
    for each in parameters:
        name, _, value = each.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _json(page: Page) -> bytes:
    return orjson.dumps({"data": list(written(page.rows, page.columns)), "next": page.following or None})


def _csv(page: Page) -> bytes:
    """RFC 4180. A text that a spreadsheet would take for a formula begins with an apostrophe."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, [column.name for column in page.columns])
    writer.writeheader()
    texts = {column.name for column in page.columns if column.kind is Kind.TEXT}
    for row in written(page.rows, page.columns):
        writer.writerow({name: _harmless(cell) if name in texts else cell for name, cell in row.items()})
    return out.getvalue().encode()


def _harmless(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def _arrow(page: Page) -> bytes:
    arrays = [pa.array([row[column.name] for row in page.rows], _ARROW[column.kind]) for column in page.columns]
    table = pa.table(arrays, names=[column.name for column in page.columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


_WRITERS: Mapping[str, Callable[[Page], bytes]] = {JSON: _json, CSV: _csv, ARROW: _arrow}
