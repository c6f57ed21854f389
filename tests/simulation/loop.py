"""An event loop on which time is a number and chance a seed, with processes that can be killed as by `kill -9`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass
from typing import TypeVar

from ares.clock import NANOS_PER_SECOND

T = TypeVar("T")
EPOCH_NS = 1_795_392_000 * NANOS_PER_SECOND
COMMIT_S_MAX = 0.004
STALL_S_MAX = 0.4
"""A commit usually takes milliseconds; one in fifty is held up by the disk."""


class Deadlock(Exception):
    """Everybody waits and no timer runs: in reality this would be a hang for ever."""


@dataclass(eq=False, slots=True)
class Process:
    """What dies together. What is dead never takes another step: no `finally`, no `except`, as after a real kill."""

    name: str
    alive: bool = True
    stopped_until_s: float = 0.0
    """Until then it takes no step, as one that was sent SIGSTOP or whose machine swaps."""
    _woken: int = 0

    def next_step_s(self) -> float:
        """When a step that falls due while it is stopped is taken; later ones later."""
        self._woken += 1
        return self.stopped_until_s + self._woken * 1e-9


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class NumberedTask(asyncio.Task[T]):
    """Sets of tasks (a group's, a wait's) are walked in the order of hashes: by default that of addresses."""

    def __init__(
        self, coro: Coroutine[object, object, T], number: int, loop: asyncio.AbstractEventLoop, context: Context | None
    ) -> None:
        self._number = number
        super().__init__(coro, loop=loop, name=str(number), context=context)

    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs what is ready, then goes to the moment of the next timer. `asyncio.to_thread` does not leave the thread:
    the call happens at a drawn moment, and its answer arrives at another, so that a seed decides who overtakes whom.
    """

    def __init__(self, rng: random.Random) -> None:
        super().__init__()
        self._now_s = 0.0
        self._rng = rng
        self._tasks: list[NumberedTask[object]] = []
        self._selector = self
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self._now_s

    def select(self, timeout: float | None) -> list[object]:
        """What asyncio asks when nothing is ready: here time passes at once."""
        if timeout is None:
            raise Deadlock("all tasks wait, and for nothing that will come")
        self._now_s += timeout
        return []

    def _process_events(self, event_list: list[object]) -> None:
        assert not event_list, "there are no files or sockets here"

    def _write_to_self(self) -> None:
        """Nobody calls from another thread."""

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(_while_alive(callback, context), *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return super().call_at(when, _while_alive(callback, context), *args, context=context)

    def create_task(
        self, coro: Coroutine[object, object, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        task = NumberedTask(coro, len(self._tasks), self, context)
        self._tasks.append(task)
        return task

    def bury(self) -> None:
        """Let go of what was killed. Not before the end: what is garbage runs its `finally` blocks at any moment."""
        for task in self._tasks:
            with suppress(RuntimeError):
                task.get_coro().close()
        self._tasks.clear()

    def run_in_executor(self, executor: object, func: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Beside the caller, as a thread is: cancelling the caller does not take the call back, a kill does."""
        answer: asyncio.Future[T] = self.create_future()

        def run() -> None:
            try:
                result = func(*args)
            except Exception as error:
                self.call_later(self._commit_s(), _unless_done, answer, answer.set_exception, error)
            else:
                self.call_later(self._commit_s(), _unless_done, answer, answer.set_result, result)

        self.call_later(self._commit_s(), run)
        return answer

    def _commit_s(self) -> float:
        return self._rng.uniform(0, COMMIT_S_MAX if self._rng.random() > 0.02 else STALL_S_MAX)


def _while_alive(callback: Callable[..., object], context: Context | None) -> Callable[..., object]:
    process = PROCESS.get() if context is None else context.get(PROCESS)
    if process is None:
        return callback

    def step(*args: object) -> None:
        loop = asyncio.get_running_loop()
        if process.alive and loop.time() < process.stopped_until_s:
            loop.call_at(process.next_step_s(), callback, *args, context=context)
        elif process.alive:
            callback(*args)

    return step


def _unless_done(answer: asyncio.Future[T], settle: Callable[[T], None], what: T) -> None:
    if not answer.done():
        settle(what)


def spawn(process: Process, work: Coroutine[object, object, T]) -> asyncio.Task[T]:
    """Start a task whose steps, and those of all it starts, end with the process."""
    context = copy_context()
    context.run(PROCESS.set, process)
    return asyncio.get_running_loop().create_task(work, context=context)


def outside() -> Context:
    """Where the venue lives: nobody's death stops it."""
    context = copy_context()
    context.run(PROCESS.set, None)
    return context


def run(main: Coroutine[object, object, T], rng: random.Random) -> T:
    """Run to the end in virtual time. What was killed on the way is let go without another word."""
    loop = VirtualLoop(rng)
    loop.set_exception_handler(lambda _loop, _context: None)
    try:
        return loop.run_until_complete(main)
    finally:
        loop.bury()
        loop.close()


class MachineClock:
    """`Clock` of one machine: its monotonic clock is the loop's, its wall clock may be off by `skew_ns`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, skew_ns: int = 0) -> None:
        self._loop = loop
        self.skew_ns = skew_ns

    def now_ns(self) -> int:
        return EPOCH_NS + round(self._loop.time() * NANOS_PER_SECOND) + self.skew_ns

    def monotonic_s(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
