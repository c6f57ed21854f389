"""Of what one is told and where: one's own targets."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel, Field

from api.callers import guard
from api.login import Body
from api.notify.addresses import URL_MAX
from api.notify.delivery import try_out
from api.notify.places import added
from api.parts import Parts
from api.policy import SELF, extra
from api.problem import FAULTS
from ares.clock import isoformat
from ares.errors import UsageError
from ares.security.access.door import Caller
from ares.security.access.state import Target
from ares.security.access.targets import Wish
from ares.security.access.topics import TargetKind, Topic
from ares.security.access.users import LABEL_MAX, By

TEST_COST = 10.0
"""A test leaves this machine: it counts as so many requests."""
Topics = Annotated[list[Topic], Field(min_length=1, max_length=50, examples=[["alerts", "state"]])]
TargetId = Annotated[str, Path(max_length=64, pattern=r"^[0-9a-f]+$")]


class TopicsBody(Body):
    topics: Topics


class LinkBody(TopicsBody):
    label: str = Field(min_length=1, max_length=LABEL_MAX, examples=["phone"])


class TargetBody(LinkBody):
    kind: Literal[TargetKind.SLACK, TargetKind.WEBHOOK]
    url: str = Field(max_length=URL_MAX, description="https; kept sealed, never shown", examples=["https://…"])


class TargetShown(BaseModel):
    id: str
    kind: TargetKind
    label: str
    topics: list[Topic]
    paused: str = Field(description="why nothing is told; empty while it is")
    paused_at: str | None


class TargetMade(TargetShown):
    key: str = Field(description="shown once; signs what a webhook is sent, else empty")


class CodeShown(BaseModel):
    code: str = Field(description="shown once, good once")
    say: str = Field(description="to the bot, in a private chat", examples=["/link ABCD2345EFGH"])
    expires_in: int = Field(description="seconds", examples=[600])


def router_of(parts: Parts) -> APIRouter:
    """The routes about where one is told what."""
    router = APIRouter(prefix="/auth", tags=["auth"], responses=FAULTS)
    _making(router, parts)
    _keeping(router, parts)
    return router


def _making(router: APIRouter, parts: Parts) -> None:
    self_, targets = guard(parts, SELF), parts.targets

    @router.post(
        "/notifications", openapi_extra=extra(SELF), operation_id="add_notifications", status_code=HTTPStatus.CREATED
    )
    async def add(body: TargetBody, caller: Annotated[Caller, Depends(self_)]) -> TargetMade:
        """Be told at a Slack incoming webhook, or a webhook of one's own."""
        wish = Wish(body.kind, body.label, frozenset(body.topics))
        dev = parts.config().environment.profile == "dev"
        by = By(caller.user)
        target, key = await asyncio.to_thread(lambda: added(targets, caller.user, wish, body.url, by, dev=dev))
        return TargetMade(**_shown(target).model_dump(), key=key)

    @router.post("/telegram-links", openapi_extra=extra(SELF), operation_id="link_telegram")
    async def link(body: LinkBody, caller: Annotated[Caller, Depends(self_)]) -> CodeShown:
        """Be told in a Telegram chat: a code that links the chat which says it."""
        config = parts.config().notifications
        if config.telegram_token is None:
            raise UsageError("telegram: no bot here. Set notifications.telegram_token")
        wish = Wish(TargetKind.TELEGRAM, body.label, frozenset(body.topics))
        code = await asyncio.to_thread(targets.new_code, caller.user, wish, config.link_s_max)
        return CodeShown(code=code, say=f"/link {code}", expires_in=int(config.link_s_max))


def _keeping(router: APIRouter, parts: Parts) -> None:
    self_, targets = guard(parts, SELF), parts.targets

    @router.get("/notifications", openapi_extra=extra(SELF), operation_id="list_notifications")
    async def every(caller: Annotated[Caller, Depends(self_)]) -> list[TargetShown]:
        """Where one is told, of what, and what is paused."""
        user = await asyncio.to_thread(parts.door.users.get, caller.user)
        return [_shown(target) for target in user.targets.values()]

    @router.put("/notifications/{target}", openapi_extra=extra(SELF), operation_id="choose_notifications")
    async def choose(target: TargetId, body: TopicsBody, caller: Annotated[Caller, Depends(self_)]) -> TargetShown:
        """Be told of other topics, from now on."""
        topics = frozenset(body.topics)
        return _shown(await asyncio.to_thread(targets.choose, caller.user, target, topics, By(caller.user)))

    @router.delete(
        "/notifications/{target}", openapi_extra=extra(SELF), operation_id="remove_notifications", status_code=204
    )
    async def remove(target: TargetId, caller: Annotated[Caller, Depends(self_)]) -> Response:
        """Be told nothing there any more."""
        await asyncio.to_thread(targets.remove, caller.user, target, By(caller.user))
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @router.post("/notifications/{target}/test", openapi_extra=extra(SELF), operation_id="test_notifications")
    async def test(target: TargetId, caller: Annotated[Caller, Depends(guard(parts, SELF, TEST_COST))]) -> TargetShown:
        """Send a message there now; where it arrives, a paused target goes on."""
        known = await asyncio.to_thread(targets.get, caller.user, target)
        return _shown(await try_out(targets, parts.senders, known))


def _shown(target: Target) -> TargetShown:
    return TargetShown(
        id=target.id,
        kind=target.kind,
        label=target.label,
        topics=sorted(target.topics),
        paused=target.paused,
        paused_at=isoformat(target.paused_at_ns) if target.paused else None,
    )
