"""Goal: connections that show the same token are looked up once, each is told, and nothing old is believed for long."""

from __future__ import annotations

import asyncio

import pytest

from api.stream.callers import FRESH_S, Callers
from ares.errors import AccessDenied
from ares.security.access.door import Caller
from ares.security.access.roles import Role, Scope, permissions_of
from ares.testing.clock import SteppedClock

MARIA = Caller(user="maria", role=Role.VIEWER, permissions=permissions_of(Role.VIEWER), scope=Scope())


class Known:
    """What a door knows, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.gone = False

    def __call__(self, token: str) -> Caller:
        self.asked.append(token)
        if self.gone or token != "hers":
            raise AccessDenied("token_invalid")
        return MARIA


async def test_many_connections_are_one_question_until_the_answer_is_old() -> None:
    known, clock = Known(), SteppedClock()
    callers = Callers(known, clock)
    assert await asyncio.gather(*(callers.caller("hers") for _ in range(50))) == [MARIA] * 50
    assert known.asked == ["hers"]
    known.gone = True
    assert await callers.caller("hers") is MARIA
    await clock.advance(FRESH_S)
    with pytest.raises(AccessDenied):
        await callers.caller("hers")
    assert known.asked == ["hers", "hers"]


async def test_each_who_shows_a_bad_token_is_told_and_who_leaves_takes_nobody_along() -> None:
    known = Known()
    callers = Callers(known, SteppedClock())
    leaving, *staying = (asyncio.create_task(callers.caller("stolen")) for _ in range(3))
    await asyncio.sleep(0)
    leaving.cancel()
    said = await asyncio.gather(*staying, return_exceptions=True)
    assert [type(each) for each in said] == [AccessDenied, AccessDenied]
    assert known.asked == ["stolen"]
