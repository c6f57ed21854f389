"""Writes that may be sent again: with an `Idempotency-Key` a request is carried out once, and answered as then."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated

import orjson
from fastapi import Header, Request, Response

from api.parts import Parts
from api.problem import of_error, problem
from ares.control import Json
from ares.errors import AresError, UsageError
from ares.security.access.door import Caller

Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        max_length=100,
        pattern=r"^[A-Za-z0-9_.:-]*$",
        description="one for each thing that is meant; sent again it changes nothing and is answered as then",
    ),
]
REPLAYED = {"Idempotency-Replayed": "true"}


async def once(
    parts: Parts,
    request: Request,
    caller: Caller,
    key: str,
    work: Callable[[], Awaitable[dict[str, Json]]],
    *,
    well: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """Carry out a request unless its key was there before; then the answer of that time. `well`: its status.

    What failed because the world did (503) may be sent again. Where the process died in between, nobody knows what
    came of it: 409, and the caller has to look.
    """
    if not key:
        return _answer(well, orjson.dumps(await work()).decode())
    digest = await _digest(request)
    before = await asyncio.to_thread(parts.access.claim_answer, caller.user, key, digest, parts.clock.now_ns())
    if before is not None:
        if before.request != digest:
            raise UsageError(f"Idempotency-Key = {key!r}: was for another request. Take a new one")
        if not before.status:
            text = f"Idempotency-Key = {key!r}: is being carried out, or was cut off. Look at what is there"
            return problem(HTTPStatus.CONFLICT, "outcome_unknown", text)
        return _answer(HTTPStatus(before.status), before.body, replayed=True)
    try:
        body = orjson.dumps(await work()).decode()
    except UsageError as error:
        answer = of_error(error)
        await asyncio.to_thread(
            parts.access.put_answer, caller.user, key, answer.status_code, bytes(answer.body).decode()
        )
        raise
    except AresError:
        await asyncio.to_thread(parts.access.release_answer, caller.user, key)
        raise
    await asyncio.to_thread(parts.access.put_answer, caller.user, key, well, body)
    return _answer(well, body)


async def _digest(request: Request) -> str:
    return hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body()).hexdigest()


def _answer(status: HTTPStatus, body: str, *, replayed: bool = False) -> Response:
    media_type = "application/json" if status < HTTPStatus.BAD_REQUEST else "application/problem+json"
    return Response(body, status, REPLAYED if replayed else {}, media_type)
