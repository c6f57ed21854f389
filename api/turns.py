"""Whose turn it is: what is read of a long range takes long, and is to keep nobody else from reading."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from ares.store import Database


class Turns:
    """A database for so many at once, of one user half of them. Who comes beyond waits: as long as a request may."""

    def __init__(self, database: Database, at_once_max: int) -> None:
        self._database = database
        self._all = asyncio.Semaphore(at_once_max)
        self._own_max = -(-at_once_max // 2)
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, user: str) -> AsyncIterator[Database]:
        """The database, for as long as the block lasts."""
        own = self._own.setdefault(user, asyncio.Semaphore(self._own_max))
        async with own, self._all:
            yield self._database
