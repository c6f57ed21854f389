"""What waits for one slow reader: bounded, whatever comes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from api.stream.channels import Row

PENDING_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Item:
    """A row, itself as JSON, and what it is the newest of (`Channel.subject_of`): once for all who read it."""

    row: Row
    text: bytes
    subject: tuple[object, ...]


@dataclass(slots=True)
class Pending:
    """Rows of one subscription that were not sent yet, in order.

    Of each subject the newest is kept, at its subject's place. The oldest are let go once there are too many, and how
    many is told (`lost`): the reader asks again from where it was.
    """

    items_max: int = PENDING_MAX
    lost: int = 0
    _items: dict[tuple[object, ...], Item] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Sequence[Item]) -> None:
        """Add what is new."""
        for item in items:
            self._items[item.subject] = item
        while len(self._items) > self.items_max:
            del self._items[next(iter(self._items))]
            self.lost += 1

    def miss(self) -> None:
        """Note that rows never came here, nobody counted how many: `lost` is so many at least."""
        self.lost += 1

    def take(self) -> tuple[list[Item], int]:
        """All that waits, and how many were let go before it; nothing waits then."""
        items, lost = list(self._items.values()), self.lost
        self._items.clear()
        self.lost = 0
        return items, lost
