"""Why an order is there and what came of it: one answer with every step, in time order."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.cells import Cell
from api.commands import OrderId
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import problem, responses
from api.way import Kind, way_of
from ares.clock import isoformat
from ares.security.access.door import Caller
from ares.security.access.roles import Permission

_FAULTS = responses(
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class StepShown(BaseModel):
    ts: str = Field(
        description="of what was frozen: when it was known; ticks and fills have the venue's clock",
        examples=["2026-11-23T20:05:03.828000000Z"],
    )
    kind: Kind
    text: str = Field(examples=["buy 0.0799400000 towards 0.0800000000, at mark 50000: to_target, state ACTIVE"])
    fields: dict[str, Cell] = Field(description="as the collection has them that the step is a row of")


class MissingShown(BaseModel):
    kind: Kind
    why: str = Field(examples=["none: the strategy uses no model"])


class Explanation(BaseModel):
    """Everything that led to an order, and what came of it."""

    order_id: str
    account: str
    venue: str
    symbol: str
    strategy: str
    state: str = Field(description="now", examples=["FILLED"])
    correlation_id: str | None = Field(description="of decision, order and fills: `GET /events?correlation_id=`")
    trace_id: str | None = Field(description="32 hex digits: `ares trace show`")
    steps: list[StepShown] = Field(description="in time order")
    missing: list[MissingShown] = Field(description="what is not told, and why")


def router_of(parts: Parts) -> APIRouter:
    """The route /orders/{order_id}/explanation."""
    router = APIRouter(prefix="/orders", tags=["trading"], responses=_FAULTS)
    sees = Policy(Permission.READ_TRADING)

    @router.get(
        "/{order_id}/explanation", openapi_extra=extra(sees), operation_id="explain_order", response_model=Explanation
    )
    async def explain(
        order_id: OrderId, caller: Annotated[Caller, Depends(guard(parts, sees))]
    ) -> Explanation | Response:
        """Signal, features, decision, refusals, commands, steps and fills of an order."""
        async with parts.turns.of(caller.user) as database:
            way = await way_of(database, caller, order_id, parts.clock.now_ns())
        if way is None:
            text = f"order_id = {order_id!r}: no such order, or none that you may see"
            return problem(HTTPStatus.NOT_FOUND, "unknown_name", text)
        names = ("order_id", "account", "venue", "symbol", "strategy", "correlation_id", "trace_id")
        return Explanation.model_validate(
            {
                **{name: way.first[name] for name in names},
                "state": way.last["state"],
                "steps": [
                    {"ts": isoformat(each.at_ns), "kind": each.kind, "text": each.text, "fields": each.fields}
                    for each in way.steps
                ],
                "missing": [each._asdict() for each in way.missing],
            }
        )

    return router
