"""Pages of backtests, shown as they were written: nothing in them loads, runs or leads anywhere else."""

import asyncio
from http import HTTPStatus
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from fastapi.responses import FileResponse

from api.callers import guard
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import responses
from api.resources import ERRANDS
from ares.errors import UnknownName
from ares.security.access.door import Caller
from ares.security.access.roles import Permission

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; sandbox",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "private, no-cache",
}
RunId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]


def router_of(parts: Parts) -> APIRouter:
    """The route under /backtests."""
    router = APIRouter(prefix="/backtests", tags=["research"])
    reads = Policy(Permission.READ_RESEARCH)

    @router.get(
        "/{run_id}/report",
        openapi_extra=extra(reads),
        operation_id="show_backtest_report",
        response_class=FileResponse,
        responses={
            HTTPStatus.OK.value: {"content": {"text/html": {"schema": {"type": "string"}}}},
            **responses(
                HTTPStatus.UNAUTHORIZED,
                HTTPStatus.FORBIDDEN,
                HTTPStatus.NOT_FOUND,
                HTTPStatus.UNPROCESSABLE_ENTITY,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
    )
    async def report(run_id: RunId, caller: Annotated[Caller, Depends(guard(parts, reads))]) -> FileResponse:
        """The page of a backtest that was asked for here, as long as it is kept."""
        return await shown(parts, caller, run_id)

    return router


async def shown(parts: Parts, caller: Caller, run_id: str) -> FileResponse:
    """The page of a run. Raises `UnknownName`, `AccessDenied`, `StoreError`."""
    row = await parts.database.fetch_one(ERRANDS["report"], {"run_id": run_id})
    if row is None:
        raise UnknownName("run", run_id, [])
    caller.require_within(strategy=str(row["strategy"]))
    page = await asyncio.to_thread(page_of, parts.reports, str(row["report"] or ""))
    if page is None:
        raise UnknownName("report of run", run_id, [])
    return FileResponse(page, media_type="text/html", headers=HEADERS)


def page_of(folder: FilePath, written_to: str) -> FilePath | None:
    """The page that a row names; None unless it is a file of the folder itself, whatever the row says."""
    page = folder / FilePath(written_to).name
    if not written_to or page.resolve() != FilePath(written_to).resolve() or page.suffix != ".html":
        return None
    return page if page.is_file() and page.resolve().parent == folder.resolve() else None
