"""To which moments a journal can be restored: a copy of a SQLite file to its own, a Postgres to any of a span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from backup.journal.coverage import Coverage

FROM, SKEW, RECORD = "from_ns", "skew_ns", "record"


@dataclass(frozen=True, slots=True)
class Reach:
    """From `from_ns` to `to_ns`, by our clock. `skew_ns`: the server's clock less ours; its commits carry its own.

    `record`: a position in its WAL behind all of that; a restore that does not come so far has lost some.
    """

    from_ns: int
    to_ns: int
    skew_ns: int
    record: int

    @classmethod
    def of(cls, tags: Sequence[str]) -> Self | None:
        """What a snapshot says of itself; None for one that is of a single moment."""
        found = dict(tag.split("=", 1) for tag in tags if "=" in tag)
        try:
            return cls(int(found[FROM]), Coverage.of(tags).at_ns, int(found[SKEW]), int(found[RECORD]))
        except (KeyError, ValueError):
            return None

    @property
    def tags(self) -> list[str]:
        """For the snapshot, beside those of its `Coverage`, which tell `to_ns`."""
        return [f"{FROM}={self.from_ns}", f"{SKEW}={self.skew_ns}", f"{RECORD}={self.record}"]

    def has(self, at_ns: int) -> bool:
        """Whether it can be stopped at a moment."""
        return self.from_ns <= at_ns <= self.to_ns
