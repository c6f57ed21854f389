"""What a bench is, how its contestants take turns, and what their ratio is."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from operator import truediv
from statistics import median
from typing import TypeVar

T = TypeVar("T")
Run = Callable[[], float]
"""One round of one contestant: does the work, returns units per second."""


@dataclass(frozen=True)
class Bench:
    """Three contestants ("ares", "peer", "limit") on the same work."""

    name: str
    unit: str
    peer_name: str
    limit_name: str
    packages: tuple[str, ...]
    arena: Callable[[], AbstractContextManager[Mapping[str, Run]]]
    lost: Callable[[], int]


def in_turns(contestants: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """One run of each to warm up, then `rounds` of each in turns.

    The order is drawn anew every round, by a fixed seed: who always followed the same neighbour would pay for what that
    one left the server to do.
    """
    for run in contestants.values():
        run()
    results: dict[str, list[T]] = {name: [] for name in contestants}
    turns = random.Random(rounds)
    for _ in range(rounds):
        for name in turns.sample(list(contestants), len(contestants)):
            results[name].append(contestants[name]())
    return results


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' own ratios: a machine that slows down slows all who run in that round."""
    return round(median(map(truediv, ours, theirs)), 3)
