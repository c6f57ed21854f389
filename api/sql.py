"""Read-only SQL for analysts: bounded in time, rows and number, as a user that cannot write."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from http import HTTPStatus
from math import isfinite
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.login import Body
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import responses
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store.queries import split_statements

SQL_MAX = 20_000
COST = 10.0
"""A statement counts like so many requests."""
_FAULTS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class SqlBody(Body):
    sql: str = Field(
        min_length=1,
        max_length=SQL_MAX,
        pattern=r"^[^\x00]*$",
        examples=["SELECT * FROM signals LATEST ON ts PARTITION BY strategy, symbol"],
    )
    rows_max: int = Field(1_000, ge=1, le=100_000, description="`api.sql_rows_max` bounds it, too")


class SqlRows(BaseModel):
    """What a statement found."""

    columns: list[str]
    rows: list[list[object]] = Field(description="times UTC, decimals as texts")
    more: bool = Field(description="whether rows were cut off")


def router_of(parts: Parts) -> APIRouter:
    """The route /sql."""
    router = APIRouter(tags=["sql"], responses=_FAULTS)
    asks = Policy(Permission.ASK_SQL)

    @router.post("/sql", openapi_extra=extra(asks), operation_id="ask_sql", response_model=SqlRows)
    async def ask(body: SqlBody, _: Annotated[Caller, Depends(guard(parts, asks, COST))]) -> Response:
        """Ask one read-only statement. Who is confined to accounts or strategies may not: tables know no bounds."""
        if len(split_statements(body.sql)) != 1:
            raise UsageError("sql: one statement is expected. Send them one by one")
        rows_max = min(body.rows_max, parts.config().api.sql_rows_max)
        async with parts.statements:
            rows, more = await parts.people.fetch_first(body.sql, rows_max)
        names = list(rows[0]) if rows else []
        found = {"columns": names, "rows": [[_cell(value) for value in row.values()] for row in rows], "more": more}
        return Response(orjson.dumps(found), media_type="application/json")

    return router


def _cell(value: object) -> object:
    match value:
        case Decimal():
            return f"{value:f}"
        case datetime():
            return value.replace(tzinfo=UTC).isoformat() if value.tzinfo is None else value.isoformat()
        case float():
            return value if isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Sequence():
            return [_cell(each) for each in value]
        case _:
            return str(value)
