"""The application: every route with its policy, one version beside another."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter, FastAPI

from api import (
    approvals,
    commands,
    documents,
    errands,
    explanation,
    listing,
    login,
    notices,
    oidc,
    people,
    reports,
    sql,
)
from api.console.house import House
from api.console.mount import mount
from api.limits import Limits
from api.parts import Parts
from api.policy import policies
from api.problem import install
from api.rates import Rates
from api.stream import routes
from api.stream.feed import Feed
from api.versions import EDITIONS, Edition, Versions


def create_app(parts: Parts, feed: Feed, editions: Sequence[Edition] = EDITIONS) -> FastAPI:
    """Asserts that every route says who may come through."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    install(app)
    for edition in editions:
        app.include_router(router_of(edition, parts, feed))
    assert list(policies(app)), "an API without routes"
    for edition in editions:
        documents.add(app, edition.version)
    config = parts.config().api
    if config.console:
        mount(app, House(parts, feed))
    app.add_middleware(Versions, versions=[edition.version for edition in editions], clock=parts.clock)
    app.add_middleware(
        Limits,
        rates=Rates(parts.clock, lambda: parts.config().api.requests_per_minute_address),
        body_bytes_max=config.body_bytes_max,
        request_s_max=config.request_s_max,
    )
    return app


def router_of(edition: Edition, parts: Parts, feed: Feed) -> APIRouter:
    """All routes of one version."""
    router = APIRouter(prefix=edition.version.prefix)
    for each in (login, notices, oidc, people, commands, approvals, explanation, sql, errands, reports):
        router.include_router(each.router_of(parts))
    router.include_router(routes.router_of(parts, feed))
    for resource in edition.resources:
        listing.add(router, parts, resource)
    return router
