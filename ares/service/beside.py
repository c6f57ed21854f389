"""Work that has to go on for as long as a block does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def beside(work: Coroutine[None, None, None], name: str) -> AsyncIterator[None]:
    """Run `work` for the length of the block, which ends it.

    Where `work` fails the block is cancelled and the error of `work` comes out; where it just ends, the block goes on.
    """
    block = asyncio.current_task()
    assert block is not None, "a block of a task"
    inside = True

    def look(ended: asyncio.Task[None]) -> None:
        if inside and _failed(ended):
            block.cancel()

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(look)
    try:
        yield
    except asyncio.CancelledError:
        if _failed(task):
            block.uncancel()
            task.result()
        raise
    finally:
        inside = False
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled() and task.exception() is not None
