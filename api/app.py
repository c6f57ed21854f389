"""The application: every route with its policy, one version beside another."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from api import commands, listing, login, people, sql
from api.console.house import House
from api.console.mount import mount
from api.limits import Limits
from api.parts import Parts
from api.policy import policies
from api.problem import Problem, install
from api.rates import Rates
from api.resources import RESOURCES
from api.stream import routes
from api.stream.feed import Feed
from api.versions import V1, Versions
from ares import __version__

DESCRIPTION = """What happens and what is derived, for who may see it.

Log in by `POST /auth/login`, or show an API key (`ares user key-add`), as `Authorization: Bearer …`. Collections come
newest first, page by page (`next` → `cursor`), as JSON, CSV or an Arrow stream by `Accept`, with an `ETag`. Times are
UTC with nanoseconds, money is text. Errors are `application/problem+json`; look at `code`. Writes take an
`Idempotency-Key`.
"""


def create_app(parts: Parts, feed: Feed) -> FastAPI:
    """Asserts that every route says who may come through."""
    app = FastAPI(
        title="Ares",
        version=__version__,
        description=DESCRIPTION,
        openapi_url=f"{V1.prefix}/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    install(app)
    app.include_router(v1(parts, feed))
    assert list(policies(app)), "an API without routes"
    config = parts.config().api
    if config.console:
        mount(app, House(parts, feed))
    app.add_middleware(Versions, versions=[V1])
    app.add_middleware(
        Limits,
        rates=Rates(parts.clock, lambda: parts.config().api.requests_per_minute_address),
        body_bytes_max=config.body_bytes_max,
        request_s_max=config.request_s_max,
    )
    _tell_of_problems(app)
    return app


def v1(parts: Parts, feed: Feed) -> APIRouter:
    """Version 1."""
    router = APIRouter(prefix=V1.prefix)
    for each in (login, people, commands, sql):
        router.include_router(each.router_of(parts))
    router.include_router(routes.router_of(parts, feed))
    for resource in RESOURCES:
        listing.add(router, parts, resource)
    return router


def _tell_of_problems(app: FastAPI) -> None:
    """Put the schema of problems into OpenAPI: routes refer to it."""
    made = app.openapi

    def openapi() -> dict[str, object]:
        document: dict[str, object] = made()
        components = document.setdefault("components", {})
        assert isinstance(components, dict)
        schemas = components.setdefault("schemas", {})
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs", {}))
        schemas["Problem"] = problem
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it
