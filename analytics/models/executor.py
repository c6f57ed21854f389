"""Where folds and trials are computed: here, or by whatever can map a function over work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Executor(Protocol):
    """Does independent pieces of work, and answers in their order. Functions and work must be picklable."""

    @property
    def workers(self) -> int:
        """How many pieces are worth handing over at once."""
        ...

    def map(self, work: Callable[[T], R], pieces: Sequence[T]) -> list[R]: ...


class Local:
    """This process, one piece after the other: a service that trades beside it keeps its processor."""

    workers = 1

    def map(self, work: Callable[[T], R], pieces: Sequence[T]) -> list[R]:
        return [work(piece) for piece in pieces]


HERE: Executor = Local()
