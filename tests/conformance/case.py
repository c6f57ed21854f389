"""A case: one thing that must hold of every venue that can show it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.conformance.specimen import Specimen

Check = Callable[[Specimen], Awaitable[None] | None]


def always(_specimen: Specimen) -> bool:
    """Every venue has it."""
    return True


@dataclass(frozen=True)
class Case:
    """`check` raises `AssertionError` for a venue that does not conform. `applies`: whether the venue has the thing.

    A venue that has not says why in its specimen (`excused`), and one that has may not be excused.
    """

    number: str
    title: str
    check: Check
    applies: Callable[[Specimen], bool] = always

    async def run(self, specimen: Specimen) -> None:
        """Examine. Raises `AssertionError`."""
        waiting = self.check(specimen)
        if waiting is not None:
            await waiting
