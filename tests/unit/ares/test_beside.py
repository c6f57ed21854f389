"""Goal: what has to go on beside a block is never dead without anybody knowing."""

from __future__ import annotations

import asyncio

import pytest

from ares.service.beside import beside


async def failing(after_s: float) -> None:
    await asyncio.sleep(after_s)
    raise OSError("the disk is gone")


async def test_work_that_fails_cancels_the_block_and_its_error_comes_out() -> None:
    with pytest.raises(OSError, match="the disk is gone"):
        async with beside(failing(0.01), "work"):
            await asyncio.sleep(30)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0.01)


async def test_work_that_ends_lets_the_block_go_on() -> None:
    async with beside(asyncio.sleep(0), "work"):
        await asyncio.sleep(0.01)


async def test_work_ends_with_the_block() -> None:
    ended = asyncio.Event()

    async def working() -> None:
        try:
            await asyncio.sleep(30)
        finally:
            ended.set()

    async with beside(working(), "work"):
        await asyncio.sleep(0.01)
    assert ended.is_set()


async def test_error_of_the_block_comes_out_of_the_block() -> None:
    with pytest.raises(ValueError, match="mine"):
        async with beside(asyncio.sleep(30), "work"):
            raise ValueError("mine")


async def test_cancelled_block_stays_cancelled() -> None:
    async def block() -> None:
        async with beside(asyncio.sleep(30), "work"):
            await asyncio.sleep(30)

    task = asyncio.create_task(block())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failure_at_the_very_end_of_the_block_is_told_and_cancels_nothing_after_it() -> None:
    said = asyncio.Event()

    async def failing_now() -> None:
        said.set()
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        async with beside(failing_now(), "work"):
            await said.wait()
    await asyncio.sleep(0.01)
