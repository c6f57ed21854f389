"""Errors as application/problem+json (RFC 9457): a stable `code`, one sentence, the way out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from ares.errors import (
    AccessDenied,
    AccessReason,
    AresError,
    ControlUnavailable,
    OperatingError,
    SequenceConflict,
    StoreRejected,
    StoreUnavailable,
    UnknownName,
    UsageError,
)
from ares.telemetry import get_logger

MEDIA_TYPE = "application/problem+json"
LATER_S = 2
_DENIED: Mapping[AccessReason, HTTPStatus] = {
    "locked": HTTPStatus.TOO_MANY_REQUESTS,
    "too_many_requests": HTTPStatus.TOO_MANY_REQUESTS,
    "forbidden": HTTPStatus.FORBIDDEN,
    "second_factor_old": HTTPStatus.FORBIDDEN,
}
_STATUS: Sequence[tuple[type[AresError], HTTPStatus]] = (
    (UnknownName, HTTPStatus.NOT_FOUND),
    (UsageError, HTTPStatus.BAD_REQUEST),
    (StoreRejected, HTTPStatus.BAD_REQUEST),
    (SequenceConflict, HTTPStatus.CONFLICT),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (ControlUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
    (OperatingError, HTTPStatus.SERVICE_UNAVAILABLE),
)

log = get_logger(__name__)


class Fault(BaseModel):
    """One field that is wrong."""

    field: str = Field(examples=["query.limit"])
    problem: str = Field(examples=["Input should be less than or equal to 10000"])


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Forbidden"])
    status: int = Field(examples=[403])
    code: str = Field(description="stable; what programs look at", examples=["forbidden"])
    detail: str = Field(examples=["your role or scope does not allow this (users:write is not of trader)"])
    errors: list[Fault] | None = None


def problem(
    status: HTTPStatus, code: str, detail: str, *, errors: Sequence[Fault] = (), retry_after_s: int = 0
) -> Response:
    """The answer."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "code": code,
        "detail": detail,
    }
    if errors:
        body["errors"] = [error.model_dump() for error in errors]
    headers = {"Cache-Control": "no-store"}
    if retry_after_s:
        headers["Retry-After"] = str(retry_after_s)
    if status is HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(body), status.value, headers, MEDIA_TYPE)


def of_error(error: AresError) -> Response:
    """An error of ours."""
    if isinstance(error, AccessDenied):
        status = _DENIED.get(error.reason, HTTPStatus.UNAUTHORIZED)
        return problem(status, error.reason, str(error), retry_after_s=error.retry_after_s)
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.SERVICE_UNAVAILABLE)
    later_s = LATER_S if status is HTTPStatus.SERVICE_UNAVAILABLE else 0
    return problem(status, error.code, str(error), retry_after_s=later_s)


def install(app: FastAPI) -> None:
    """Every error of this application becomes a problem."""

    @app.exception_handler(AresError)
    async def ours(_: Request, error: AresError) -> Response:
        return of_error(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [
            Fault(field=".".join(str(part) for part in each["loc"]), problem=str(each["msg"]))
            for each in error.errors()
        ]
        first = faults[0] if faults else Fault(field="", problem="")
        detail = f"{first.field}: {first.problem}"
        return problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, errors=faults)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        answer = problem(status, status.name.lower(), error.detail)
        answer.headers.update(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            answer.headers["Allow"] = ", ".join(sorted(methods_at(app, request.url.path)))
        return answer

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> Response:
        log.error("request_failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "a fault of ours; it is in the log")


def methods_at(app: FastAPI, path: str) -> set[str]:
    """Which methods a path takes, of all its routes: each knows of its own alone (RFC 9110, 10.2.1)."""
    return {
        method
        for each in iter_route_contexts(app.routes)
        if isinstance(each.route, APIRoute) and compile_path(each.path or "")[0].match(path)
        for method in each.route.methods or ()
    }


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, object]]:
    """For OpenAPI: which problems a route answers with."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status.value: {"description": status.phrase, "content": content} for status in statuses}


FAULTS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
"""Of a route about one thing, for who is known."""
