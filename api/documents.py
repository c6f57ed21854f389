"""What OpenAPI says of each version, at `openapi.json` below its prefix."""

from __future__ import annotations

import asyncio
from typing import cast

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.responses import Response

from api.problem import Problem
from api.versions import Version
from ares import __version__

DESCRIPTION = """What happens and what is derived, for who may see it.

Log in by `POST /auth/login`, or show an API key (`ares user key-add`), as `Authorization: Bearer …`. Collections come
newest first, page by page (`next` → `cursor`), as JSON, CSV or an Arrow stream by `Accept`, with an `ETag`. Times are
UTC with nanoseconds, money is text. Errors are `application/problem+json`; look at `code`. Writes take an
`Idempotency-Key`.
"""
Document = dict[str, object]


def add(app: FastAPI, version: Version) -> None:
    """Serve the document of a version whose routes are there."""
    written: list[bytes] = []
    writing = asyncio.Lock()

    async def openapi(_: Request) -> Response:
        async with writing:  # it takes a second or more of a processor: others are answered meanwhile
            if not written:
                written.append(await asyncio.to_thread(lambda: orjson.dumps(document(app, version))))
        return Response(written[0], media_type="application/json")

    app.add_route(f"{version.prefix}/openapi.json", openapi, include_in_schema=False)


def document(app: FastAPI, version: Version) -> Document:
    """The routes of a version, with the schema of problems, to which they refer; deprecated ones say so."""
    prefix = f"{version.prefix}/"
    found: Document = get_openapi(
        title="Ares",
        version=__version__,
        description=DESCRIPTION,
        routes=[each for each in iter_route_contexts(app.routes) if (each.path or "").startswith(prefix)],
    )
    schemas = _part(_part(found, "components"), "schemas")
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update(problem.pop("$defs", {}))
    schemas["Problem"] = problem
    if version.deprecated_at is not None:
        for operations in _part(found, "paths").values():
            for operation in cast("dict[str, Document]", operations).values():
                operation["deprecated"] = True
    return found


def _part(of: Document, name: str) -> Document:
    return cast("Document", of.setdefault(name, {}))
