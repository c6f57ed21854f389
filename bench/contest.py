"""What a bench is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

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
