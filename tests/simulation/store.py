"""The real control store, in memory, whose writes fail when told to: before they are committed, or after."""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Sequence
from typing import Literal, Self

import orjson

from ares.control import AuditEntry, ControlStore, Fence, NewEvent
from ares.errors import ControlUnavailable
from ares.model.row import Row

Failure = Literal["refused", "unheard"]
"""Nothing was written; or it was, and the answer was lost."""
ROWS = 1_000_000


class FlakyStore(ControlStore):
    """Fails as often as `failures` says, one after the other."""

    failures: deque[Failure]
    fenced: bool = True
    """Whether it holds out who led before; else the lease and the venue's recvWindow are all that does."""

    @classmethod
    def begin(cls) -> FlakyStore:
        """An empty one."""
        store = cls.open("sqlite://")
        store.failures = deque()
        return store

    def behind(self, fence: Fence) -> Self:
        return super().behind(fence) if self.fenced else self

    def append(
        self,
        stream: str,
        events: Sequence[NewEvent],
        *,
        expected_seq: int,
        mirror: Sequence[Row] = (),
        audit: Sequence[AuditEntry] = (),
    ) -> int:
        failure = self.failures.popleft() if self.failures else None
        if failure == "refused":
            raise ControlUnavailable("disk I/O error")
        seq = super().append(stream, events, expected_seq=expected_seq, mirror=mirror, audit=audit)
        if failure == "unheard":
            raise ControlUnavailable("the connection was closed before the answer came")
        return seq

    def mirror(self, rows: Sequence[Row]) -> None:
        """Rows for QuestDB are not what is proved here, and there are many."""

    def fail_next(self, rng: random.Random) -> None:
        """Let one or two of the next writes fail."""
        self.failures.extend(rng.choice(("refused", "unheard")) for _ in range(rng.randint(1, 2)))

    def hash(self) -> str:
        """Of everything that was ever said, in order."""
        digest = hashlib.sha256()
        for event in self.log(0, ROWS):
            facts = (event.stream, event.seq, event.type, event.ts_ns, event.payload)
            digest.update(orjson.dumps(facts, option=orjson.OPT_SORT_KEYS))
        return digest.hexdigest()
