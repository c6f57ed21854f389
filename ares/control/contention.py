"""Tasks and processes that meet at one stream: who was too late reads again, and says it anew."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from ares.control.store import ControlStore
from ares.control.types import StoredEvent
from ares.errors import SequenceConflict

TRIES_MAX = 5
T = TypeVar("T")


async def read_on(control: ControlStore, stream: str, known: Callable[[], int]) -> Sequence[StoredEvent]:
    """What a stream holds beyond what the caller knows, as a position in it.

    Asked for again once it was read: another task of the process may have read the same, and more, meanwhile. Who
    takes what this returns must not wait before it did. Raises `ControlUnavailable`.
    """
    read = await asyncio.to_thread(control.read, stream, known())
    return [stored for stored in read if stored.seq > known()]


def until_it_fits(stream: str, say: Callable[[], T]) -> T:
    """What `say` returns, which reads the stream and appends to it; done again while others are faster.

    Raises `SequenceConflict` after `TRIES_MAX` times.
    """
    for _ in range(TRIES_MAX):
        try:
            return say()
        except SequenceConflict:
            continue
    raise _too_fast(stream)


async def once_it_fits(stream: str, say: Callable[[], Awaitable[T]]) -> T:
    """The same for what waits."""
    for _ in range(TRIES_MAX):
        try:
            return await say()
        except SequenceConflict:
            continue
    raise _too_fast(stream)


def _too_fast(stream: str) -> SequenceConflict:
    return SequenceConflict(f"stream {stream} moves faster than it can be written")
