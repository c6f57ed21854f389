"""A route for every collection: filters, pages, formats."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Literal, TypedDict, cast

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, JsonValue, create_model

from api.callers import guard
from api.cells import model_of
from api.formats import ARROW, CSV, Page, answer
from api.moments import moment_ns
from api.paging import Place, following
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import responses
from api.resource import Resource, askers_of
from ares.clock import DAY_NS, isoformat
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.store import Database, Param

EVER_NS = 0
WORD_MAX = 200
WORD = r"^[A-Za-z0-9_.:/@#+,*| -]*$"
LIMIT = 500
_FAULTS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class _MomentWords(TypedDict):
    max_length: int
    json_schema_extra: dict[str, JsonValue]


_MOMENT: _MomentWords = {"max_length": 40, "json_schema_extra": {"format": "date-time"}}


class Asked(BaseModel):
    """What every collection understands."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    limit: int = LIMIT
    cursor: str = Field("", max_length=200, description="`next` of the page before")
    since: str | None = Field(None, alias="from", description="rows of this moment and later", **_MOMENT)
    until: str | None = Field(None, alias="to", description="rows of this moment and earlier; default now", **_MOMENT)

    def word(self, name: str) -> str:
        """A filter of this collection; empty: it filters nothing."""
        return cast("str", getattr(self, name))


def add(router: APIRouter, parts: Parts, resource: Resource) -> None:
    """Serve a collection."""
    policy = Policy(resource.permission)
    caller_of = guard(parts, policy)
    asked_model = filters_of(resource, parts.config().api.rows_max)

    async def read(request: Request, asked: Asked, caller: Caller) -> Response:
        async with parts.turns.of(caller.user) as database:
            page = await page_of(parts, resource, asked, caller, database)
        return answer(request, page)

    parameters = inspect.signature(read).parameters
    signature = inspect.Signature(
        [
            parameters["request"].replace(annotation=Request),
            parameters["asked"].replace(annotation=Annotated[asked_model, Query()]),
            parameters["caller"].replace(annotation=Annotated[Caller, Depends(caller_of)]),
        ],
        return_annotation=Response,
    )
    read.__signature__ = signature  # type: ignore[attr-defined]  # FastAPI reads parameters from it
    router.add_api_route(
        f"/{resource.path}",
        read,
        methods=["GET"],
        operation_id=f"list_{resource.path.replace('-', '_')}",
        summary=resource.purpose,
        tags=[resource.permission.value.partition(":")[0]],
        response_model=page_model(resource),
        responses={
            HTTPStatus.OK.value: {"content": {CSV: {"schema": {"type": "string"}}, ARROW: {"schema": _BINARY}}},
            HTTPStatus.NOT_MODIFIED.value: {"description": "what the caller has (If-None-Match) is what there is"},
            **responses(*_FAULTS),
        },
        openapi_extra=extra(policy),
    )


_BINARY = {"type": "string", "format": "binary"}


async def page_of(
    parts: Parts, resource: Resource, asked: Asked, caller: Caller, database: Database | None = None
) -> Page:
    """A page of what the caller may see; `database`: given with a turn, else the one of what is shown."""
    until_ns = moment_ns("to", asked.until) if asked.until is not None else parts.clock.now_ns()
    since_ns = moment_ns("from", asked.since) if asked.since is not None else _since_ns(resource, until_ns)
    place = Place.read(asked.cursor) if asked.cursor else Place(until_ns if resource.timed else 0)
    if resource.timed:
        until_ns = min(place.until_ns, until_ns) if asked.cursor else until_ns
    if resource.timed and since_ns > until_ns:
        return Page(resource.columns, (), "")
    choice = asked.word(resource.choice) if resource.choice else ""
    _within_reach(resource, choice, since_ns, until_ns)
    params: dict[str, Param] = {
        **{name: asked.word(name) for name in resource.filters},
        **resource.confinement(caller.scope, askers_of(caller)),
        "since": isoformat(since_ns),
        "until": isoformat(until_ns),
        "skip": place.skip,
        "end": place.skip + asked.limit,
    }
    rows = await (database or parts.database).fetch(resource.statements[choice], params)
    after = following(place, rows, asked.limit, timed=resource.timed)
    return Page(resource.columns, rows, after.text() if after else "")


def filters_of(resource: Resource, rows_max: int) -> type[Asked]:
    """The parameters of a collection."""
    word = Field("", max_length=WORD_MAX, pattern=WORD, description="equals")
    fields: dict[str, tuple[object, object]] = {
        "limit": (int, Field(min(LIMIT, rows_max), ge=1, le=rows_max, description="rows of a page")),
        **dict.fromkeys(resource.filters, (str, word)),
    }
    if resource.choice:
        values = list(resource.statements)
        fields[resource.choice] = (Literal[tuple(values)], Field(values[0], description="which"))
    model = create_model(f"{resource.title}Filters", __base__=Asked, **fields)  # type: ignore[call-overload]
    return cast("type[Asked]", model)


def page_model(resource: Resource) -> type[BaseModel]:
    """A page as OpenAPI shows it."""
    row = model_of(resource.title, resource.table, resource.columns)
    fields: dict[str, tuple[object, object]] = {
        "data": (Sequence[row], Field(description=resource.purpose)),  # type: ignore[valid-type]  # made just now
        "next": (str | None, Field(default=None, description="the `cursor` of the next page; null: there is none")),
    }
    model: type[BaseModel] = create_model(f"{resource.title}Page", **fields)  # type: ignore[call-overload]
    return model


def _within_reach(resource: Resource, choice: str, since_ns: int, until_ns: int) -> None:
    """Raises `UsageError` for more days than a choice is read at once."""
    days = resource.days_max.get(choice)
    if days is not None and until_ns - since_ns > days * DAY_NS:
        raise UsageError(
            f"from = {isoformat(since_ns)}: {resource.choice} {choice} is read {days} days at once, and to is "
            f"{isoformat(until_ns)}. Ask for it in parts, or for another {resource.choice}"
        )


def _since_ns(resource: Resource, until_ns: int) -> int:
    if not resource.days:
        return EVER_NS
    return max(EVER_NS, until_ns - resource.days * DAY_NS)
