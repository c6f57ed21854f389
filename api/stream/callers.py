"""Who shows a token: looked up once for all connections that show the same, and again while they are there."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from ares.clock import Clock
from ares.security.access.door import Caller

T = TypeVar("T")
FRESH_S = 0.5
"""An answer is good for so long: what ends a session or a key is heard of that much later at most."""


class _Asked(NamedTuple):
    at_s: float
    answer: asyncio.Task[Caller]


class Callers:
    """The door, asked for many connections at once. `known`: whom a token stands for now; it may block."""

    def __init__(self, known: Callable[[str], Caller], clock: Clock) -> None:
        self._known = known
        self._clock = clock
        self._asked: OrderedDict[str, _Asked] = OrderedDict()

    async def caller(self, token: str) -> Caller:
        """Whom a token stands for, as it was up to `FRESH_S` ago. Raises `AccessDenied`, `ControlUnavailable`."""
        now_s = self._clock.monotonic_s()
        while self._asked and next(iter(self._asked.values())).at_s + FRESH_S <= now_s:
            self._asked.popitem(last=False)
        asked = self._asked.get(token)
        if asked is None:
            asked = _Asked(now_s, asyncio.create_task(asyncio.to_thread(self._known, token), name="caller"))
            asked.answer.add_done_callback(heard)
            self._asked[token] = asked
        return await asyncio.shield(asked.answer)


def heard(answer: asyncio.Task[T]) -> None:
    """Why there is no answer is told to those who wait for it; to nobody, if they have gone."""
    if not answer.cancelled():
        answer.exception()
