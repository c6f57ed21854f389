"""Letting go of something to the end, whatever happens to the task that does it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def to_the_end(work: Awaitable[None]) -> None:
    """Await `work` whole, even if the caller is cancelled meanwhile; the cancellation comes through afterwards.

    For clean-up in `finally` blocks: a task that is already closing its connection may be cancelled once more (a
    shutdown meets a reconnect), and half closed a client keeps its sockets. `work` must be bounded by itself.
    Raises what `work` raises.
    """
    doing = asyncio.ensure_future(work)
    cancelled = False
    while not doing.done():
        try:
            await asyncio.wait({doing})
        except asyncio.CancelledError:
            cancelled = True
    doing.result()
    if cancelled:
        raise asyncio.CancelledError
