"""Writers of one stream that meet: who was too late reads again and says it anew."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ares.errors import SequenceConflict

TRIES_MAX = 5
T = TypeVar("T")


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
