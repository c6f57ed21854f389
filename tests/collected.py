"""A running collector as tests look at it: by what it wrote."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Generic, TypeVar

from ares.store import Database
from ingest.service import Ingest

V = TypeVar("V")


@dataclass
class Collected(Generic[V]):
    """A running service, the venue it collects, and the store it writes to."""

    service: Ingest
    venue: V
    name: str
    database: Database
    task: asyncio.Task[None]

    async def number(self, sql: str, **params: str | int) -> int:
        """A query's single number; 0 where it is NULL, or there is no row yet."""
        record = await self.database.fetch_one(sql, {"venue": self.name, **params})
        value = next(iter(record.values())) if record is not None else None
        return int(str(value)) if value is not None else 0

    async def until(self, sql: str, expected: int, **params: str | int) -> None:
        """Wait for a query's single number."""
        value = -1
        for _ in range(200):
            value = await self.number(sql, **params)
            if value == expected:
                return
            assert not self.task.done(), self.task.result()
            await asyncio.sleep(0.1)
        raise AssertionError(f"{sql} {params}: {value}, not {expected}")
