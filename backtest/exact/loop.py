"""An event loop of one thread on which time is a number: what waits costs nothing, and the same run is the same."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import TypeVar, TypeVarTuple, Unpack, cast

from ares.clock import NANOS_PER_SECOND

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
RESOLUTION_S = 1e-6
"""Timers that are due within it run together: far below any latency that is told apart here."""


class EverybodyWaits(Exception):
    """All tasks wait and no timer runs: a programmer's error, which would be a hang for ever."""


class SteppedLoop(asyncio.BaseEventLoop):
    """Runs what is ready, then goes to the moment of the next timer.

    `asyncio.to_thread` does not leave the thread: there is nobody to let in meanwhile, and a commit takes no time.
    """

    def __init__(self, start_ns: int) -> None:
        super().__init__()
        self._start_ns = self._now_ns = start_ns
        self._selector = self
        self._clock_resolution = RESOLUTION_S

    def now_ns(self) -> int:
        """Where time stands, UTC ns."""
        return self._now_ns

    def jump(self, to_ns: int) -> None:
        """Let time pass at once; never back. Nothing that sleeps until then is woken on the way."""
        self._now_ns = max(self._now_ns, to_ns)

    def time(self) -> float:
        return (self._now_ns - self._start_ns) / NANOS_PER_SECOND

    def select(self, timeout: float | None) -> list[object]:
        """What asyncio asks when it has to wait: here time passes at once."""
        if timeout is None:
            raise EverybodyWaits("all tasks wait, and for nothing that will come")
        self._now_ns += math.ceil(timeout * NANOS_PER_SECOND)
        return []

    def run_in_executor(self, _executor: object, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        answer: asyncio.Future[T] = self.create_future()
        try:
            answer.set_result(func(*args))
        except Exception as error:
            answer.set_exception(error)
        return answer

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list, "there are no files or sockets here"

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""


class LoopClock:
    """`Clock` that says where a `SteppedLoop` stands."""

    def __init__(self, loop: SteppedLoop) -> None:
        self._loop = loop

    def now_ns(self) -> int:
        return self._loop.now_ns()

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(main: Callable[[SteppedLoop], Coroutine[object, object, T]], start_ns: int) -> T:
    """Run to the end in stepped time; raises what `main` raises."""
    loop = SteppedLoop(start_ns)
    try:
        return loop.run_until_complete(main(loop))
    finally:
        _cancel_all(loop)
        loop.close()


def _cancel_all(loop: SteppedLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        gathered = asyncio.gather(*left, return_exceptions=True)
        loop.run_until_complete(cast("asyncio.Future[list[object]]", gathered))
