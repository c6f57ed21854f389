"""What traders order: handed on to the trader's control port, in the name of who asks."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.login import Body
from api.once import Key, once
from api.parts import Parts
from api.policy import Policy, extra
from api.problem import responses
from ares.control import Json
from ares.errors import AccessDenied
from ares.model.strategies import MANUAL
from ares.security.access.door import Caller
from ares.security.access.roles import Permission

WORDS = r"^[^\x00-\x1f\x7f]*$"
NAME = r"^[A-Za-z0-9_.:/@-]*$"
COMMAND_FAULTS = responses(
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.CONFLICT,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
Number = Annotated[
    str,
    Field(
        pattern=r"^(0*[1-9]\d{0,14}(\.\d{1,10})?|0+\.\d{0,9}[1-9]0{0,9})$",
        max_length=60,
        examples=["0.001"],
        description="above 0, at most ten decimals, as text: nothing is rounded on the way",
    ),
]


class Outcome(BaseModel):
    """What the trader says came of it; its fields are those of `ares trader … --json`."""

    model_config = {"extra": "allow"}


class ReasonBody(Body):
    reason: str = Field("", max_length=200, pattern=WORDS, description="goes into rows and the audit chain")


class OrderBody(ReasonBody):
    symbol: str = Field(max_length=50, pattern=r"^[A-Z0-9]+/[A-Z0-9]+(:[A-Z0-9]+)?$", examples=["BTC/USDT"])
    side: Literal["buy", "sell"]
    quantity: Number = Field(description="of the base currency")
    price: Number | None = Field(None, description="of a limit order, in quote; without: a market order")
    strategy: str = Field(
        "", max_length=100, pattern=NAME, description="whose position it is; empty: `manual`, of orders by hand"
    )


class AmendBody(ReasonBody):
    quantity: Number | None = None
    price: Number | None = None


class LimitBody(ReasonBody):
    name: str = Field(max_length=100, pattern=NAME, examples=["position_quote_max"])
    value: str = Field(max_length=40, pattern=r"^(none|\d{1,15}(\.\d{1,10})?|)$", examples=["5000"])
    strategy: str = Field("", max_length=100, pattern=NAME)
    symbol: str = Field("", max_length=50, pattern=NAME)


OrderId = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_.:-]+$")]
StrategyName = Annotated[str, Path(max_length=100, pattern=r"^[A-Za-z0-9_.:@-]+$")]


class Desk:
    """Hands commands on, once it is sure that they are within their caller's scope."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def mine(self, caller: Caller, strategy: str | None = None) -> None:
        """Raises `AccessDenied` unless the trader's account, and the strategy, are within who asks."""
        caller.require_within(account=self.parts.config().trading.account, strategy=strategy)

    def whole(self, caller: Caller) -> None:
        """The same of what is about all strategies."""
        self.mine(caller)
        if caller.scope.strategies is not None:
            raise AccessDenied("forbidden", "it is about all strategies, and you are confined to some")

    def require(self, caller: Caller, verb: str, body: Mapping[str, str]) -> None:
        """Raises `AccessDenied` unless what a command is about is within who gives it. Anybody of the account may stop
        it; an order of no strategy is `manual`'s; what else names no strategy is about all.
        """
        strategy = body.get("strategy", "")
        match verb:
            case "halt":
                self.mine(caller)
            case "order" | "preview":
                self.mine(caller, strategy or MANUAL)
            case _ if strategy:
                self.mine(caller, strategy)
            case _:
                self.whole(caller)

    async def order(
        self, request: Request, caller: Caller, key: str, verb: str, body: Mapping[str, object]
    ) -> Response:
        """What the trader says to a command, if it is within its caller's scope."""
        texts = {name: str(value) for name, value in body.items() if value is not None}
        self.require(caller, verb, texts)

        async def work() -> dict[str, Json]:
            return await self.parts.trader.order(verb, {**texts, "actor": caller.user})

        return await once(self.parts, request, caller, key, work)


def router_of(parts: Parts) -> APIRouter:
    """The routes under /trading."""
    router = APIRouter(prefix="/trading", tags=["trading"], responses=COMMAND_FAULTS)
    desk = Desk(parts)
    _stopping(router, desk, parts)
    _ordering(router, desk, parts)
    _steering(router, desk, parts)
    return router


def _stopping(router: APIRouter, desk: Desk, parts: Parts) -> None:
    sees, halts, resumes = Policy(Permission.READ_TRADING), Policy(Permission.HALT), Policy(Permission.RESUME)

    @router.get("/status", openapi_extra=extra(sees), operation_id="trading_status")
    async def status(caller: Annotated[Caller, Depends(guard(parts, sees))]) -> Outcome:
        """What the trader says of itself now, database or not."""
        desk.whole(caller)
        return Outcome.model_validate(await parts.trader.ask("status"))

    @router.get("/why", openapi_extra=extra(sees), operation_id="trading_why")
    async def why(
        caller: Annotated[Caller, Depends(guard(parts, sees))],
        symbol: Annotated[str, Query(max_length=50, pattern=NAME)] = "",
    ) -> Outcome:
        """Why the trader does what it does, or nothing."""
        desk.whole(caller)
        return Outcome.model_validate(await parts.trader.ask("why", {"symbol": symbol} if symbol else {}))

    @router.post("/halt", openapi_extra=extra(halts), operation_id="halt", response_model=Outcome)
    async def halt(
        body: ReasonBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, halts))], key: Key = ""
    ) -> Response:
        """Stop at once: no new orders, open ones are cancelled but for those that protect."""
        return await desk.order(request, caller, key, "halt", body.model_dump())

    @router.post("/flatten", openapi_extra=extra(halts), operation_id="flatten", response_model=Outcome)
    async def flatten(
        body: ReasonBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, halts))], key: Key = ""
    ) -> Response:
        """Stop, and close every position at the market."""
        return await desk.order(request, caller, key, "flatten", body.model_dump())

    @router.post("/resume", openapi_extra=extra(resumes), operation_id="resume", response_model=Outcome)
    async def resume(
        body: ReasonBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, resumes))], key: Key = ""
    ) -> Response:
        """Trade again."""
        return await desk.order(request, caller, key, "resume", body.model_dump())


def _ordering(router: APIRouter, desk: Desk, parts: Parts) -> None:
    trades = Policy(Permission.TRADE)

    @router.post("/preview", openapi_extra=extra(trades), operation_id="preview_order", response_model=Outcome)
    async def preview(
        body: OrderBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, trades))]
    ) -> Response:
        """What every risk rule would say of an order; nothing is sent."""
        return await desk.order(request, caller, "", "preview", body.model_dump(exclude={"reason"}))

    @router.post("/orders", openapi_extra=extra(trades), operation_id="place_order", response_model=Outcome)
    async def place(
        body: OrderBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, trades))], key: Key = ""
    ) -> Response:
        """Place an order, within all limits. Its key makes its client order id: sent again it is the same order."""
        named = {"id": f"{caller.user}:{key}"} if key else {}
        return await desk.order(request, caller, key, "order", {**body.model_dump(), **named})

    @router.post(
        "/orders/{order_id}/amend", openapi_extra=extra(trades), operation_id="amend_order", response_model=Outcome
    )
    async def amend(
        order_id: OrderId, body: AmendBody, request: Request,
        caller: Annotated[Caller, Depends(guard(parts, trades))], key: Key = "",
    ) -> Response:  # fmt: skip
        """Change an open order."""
        return await desk.order(request, caller, key, "amend", {**body.model_dump(), "order_id": order_id})

    @router.post(
        "/orders/{order_id}/cancel", openapi_extra=extra(trades), operation_id="cancel_order", response_model=Outcome
    )
    async def cancel(
        order_id: OrderId, body: ReasonBody, request: Request,
        caller: Annotated[Caller, Depends(guard(parts, trades))], key: Key = "",
    ) -> Response:  # fmt: skip
        """Cancel an open order."""
        return await desk.order(request, caller, key, "cancel", {**body.model_dump(), "order_id": order_id})

    @router.post("/cancel", openapi_extra=extra(trades), operation_id="cancel_all", response_model=Outcome)
    async def cancel_all(
        body: ReasonBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, trades))], key: Key = ""
    ) -> Response:
        """Cancel every open order."""
        return await desk.order(request, caller, key, "cancel", body.model_dump())


def _steering(router: APIRouter, desk: Desk, parts: Parts) -> None:
    steers, resumes = Policy(Permission.STEER_STRATEGIES), Policy(Permission.RESUME)
    bounds = Policy(Permission.SET_LIMITS)

    @router.post(
        "/strategies/{strategy}/pause", openapi_extra=extra(steers), operation_id="pause_strategy",
        response_model=Outcome,
    )  # fmt: skip
    async def pause(
        strategy: StrategyName, body: ReasonBody, request: Request,
        caller: Annotated[Caller, Depends(guard(parts, steers))], key: Key = "",
    ) -> Response:  # fmt: skip
        """Let a strategy rest: it opens nothing until it is resumed."""
        return await desk.order(request, caller, key, "pause", {**body.model_dump(), "strategy": strategy})

    @router.post(
        "/strategies/{strategy}/resume", openapi_extra=extra(resumes), operation_id="resume_strategy",
        response_model=Outcome,
    )  # fmt: skip
    async def resume_strategy(
        strategy: StrategyName, body: ReasonBody, request: Request,
        caller: Annotated[Caller, Depends(guard(parts, resumes))], key: Key = "",
    ) -> Response:  # fmt: skip
        """Let a strategy trade again."""
        return await desk.order(request, caller, key, "resume", {**body.model_dump(), "strategy": strategy})

    @router.post("/limits", openapi_extra=extra(bounds), operation_id="set_limit", response_model=Outcome)
    async def limit(
        body: LimitBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, bounds))], key: Key = ""
    ) -> Response:
        """Set a limit. What loosens one has to be approved by somebody else where the profile says so."""
        return await desk.order(request, caller, key, "limit", body.model_dump())

    @router.post(
        "/limits/{change}/approve", openapi_extra=extra(bounds), operation_id="approve_limit", response_model=Outcome
    )
    async def approve(
        change: OrderId, body: ReasonBody, request: Request,
        caller: Annotated[Caller, Depends(guard(parts, bounds))], key: Key = "",
    ) -> Response:  # fmt: skip
        """Agree to a limit that somebody else asked for."""
        return await desk.order(request, caller, key, "approve", {**body.model_dump(), "id": change})
