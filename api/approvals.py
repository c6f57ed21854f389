"""What takes two people: one asks, another one agrees. The trader keeps the rules; who asked is the session's user."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.commands import COMMAND_FAULTS, WORDS, Desk, Outcome
from api.login import Body
from api.once import Key
from api.parts import Parts
from api.policy import Policy, extra
from ares.security.access.door import Caller
from ares.security.access.roles import Permission


class WhyBody(Body):
    reason: str = Field(min_length=1, max_length=200, pattern=WORDS, description="goes into rows and the audit chain")


class AgreeBody(WhyBody):
    terms: str = Field(pattern=r"^[0-9a-f]{16}$", description="digest of the terms that were read and are agreed to")


class TermsShown(BaseModel):
    digest: str
    account: str
    venue: str
    strategies: list[str] = Field(description="each with what it may hold of a symbol, in quote")
    limits: dict[str, str]


class LiveShown(BaseModel):
    """How far two people are. It holds once it is approved, for these very terms."""

    terms: TermsShown | None = Field(description="null: no money is at stake, nothing has to be agreed to")
    state: str = Field(examples=["nothing", "requested", "approved"])
    asked_terms: str = Field(description="digest of the terms that somebody asked for")
    requested_by: str
    approved_by: str
    holds: bool


class LimitAskedShown(BaseModel):
    id: str = Field(description="for `POST /trading/limits/{id}/approve`, within a day")
    name: str
    strategy: str
    symbol: str
    value: str
    before: str
    asked_by: str
    since: str
    reason: str


class ApprovalsShown(BaseModel):
    live: LiveShown
    limits: list[LimitAskedShown]


def router_of(parts: Parts) -> APIRouter:
    """The routes of what waits for a second person, and of going live."""
    router = APIRouter(prefix="/trading", tags=["trading"], responses=COMMAND_FAULTS)
    desk = Desk(parts)
    sees, agrees, halts = Policy(Permission.READ_TRADING), Policy(Permission.AGREE_LIVE), Policy(Permission.HALT)

    @router.get("/approvals", openapi_extra=extra(sees), operation_id="list_approvals")
    async def approvals(caller: Annotated[Caller, Depends(guard(parts, sees))]) -> ApprovalsShown:
        """What waits for a second person."""
        desk.whole(caller)
        return ApprovalsShown.model_validate(await parts.trader.ask("approvals"))

    @router.post("/live/request", openapi_extra=extra(agrees), operation_id="request_live", response_model=Outcome)
    async def request_live(
        body: WhyBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, agrees))], key: Key = ""
    ) -> Response:
        """Ask for real money to be traded, by the terms of the settings; somebody else has to agree."""
        return await desk.order(request, caller, key, "live_request", body.model_dump())

    @router.post("/live/approve", openapi_extra=extra(agrees), operation_id="approve_live", response_model=Outcome)
    async def approve_live(
        body: AgreeBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, agrees))], key: Key = ""
    ) -> Response:
        """Agree to what somebody else asked for."""
        return await desk.order(request, caller, key, "live_approve", body.model_dump())

    @router.post("/live/withdraw", openapi_extra=extra(halts), operation_id="withdraw_live", response_model=Outcome)
    async def withdraw_live(
        body: WhyBody, request: Request, caller: Annotated[Caller, Depends(guard(parts, halts))], key: Key = ""
    ) -> Response:
        """Take it back; the trader is HALTED. Any one person may, and it wants no second factor."""
        return await desk.order(request, caller, key, "live_withdraw", body.model_dump())

    return router
