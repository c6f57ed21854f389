"""The control store of a backtest: the same rules as `ares.control`'s, in memory, for one process that never dies."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Self

from ares.clock import NANOS_PER_SECOND
from ares.control import AuditEntry, ControlStore, Fence, Lease, NewEvent, StoredEvent
from ares.errors import SequenceConflict
from ares.model.row import Row

SETTLED_MAX = 1_000
"""Orders that are over and still kept whole; of older ones only how many events there were is known."""
ORDER, SETTLED, BOOK = "order/", "orders_settled/", "fills/"


class Arbiter(ControlStore):
    """Streams numbered without holes, a conflict for who is late, a lease for the one who asks.

    Nobody restarts here, so what only a start would read (the book, settled orders) is counted and not kept: a
    backtest of many orders holds no more of them than one of few. Rows for QuestDB have nowhere to go.
    """

    def __init__(self) -> None:  # the parent's would want a database, and there is none
        self._events: dict[str, list[StoredEvent]] = {}
        self._ends: dict[str, int] = {}
        self._position = 0
        self._cursors: dict[str, int] = {}
        self._settled: deque[str] = deque()
        self._leases: dict[str, Lease] = {}

    def append(
        self,
        stream: str,
        events: Sequence[NewEvent],
        *,
        expected_seq: int,
        mirror: Sequence[Row] = (),  # noqa: ARG002 - the store's signature: there is no QuestDB to mirror to
        audit: Sequence[AuditEntry] = (),  # noqa: ARG002 - nor anybody to hold to account
    ) -> int:
        end = self._ends.get(stream, 0)
        if end != expected_seq:
            raise SequenceConflict(f"stream {stream} is at {end}, not at {expected_seq}; read it again")
        if stream.startswith(SETTLED):
            self._settle(stream, events)
        elif not stream.startswith(BOOK):
            kept = self._events.setdefault(stream, [])
            kept.extend(self._stored(stream, seq, event) for seq, event in enumerate(events, start=end + 1))
        self._ends[stream] = end + len(events)
        return self._ends[stream]

    def stream(self, stream: str, after_seq: int = 0) -> Iterator[StoredEvent]:
        if self._ends.get(stream, 0) <= after_seq:
            return iter(())
        return iter([event for event in self._events.get(stream, ()) if event.seq > after_seq])

    def streams(self, prefix: str) -> list[str]:
        return [stream for stream in self._events if stream.startswith(prefix)]

    def audit(self, entries: Sequence[AuditEntry]) -> None:
        """Nobody is held to account for what did not happen."""

    def mirror(self, rows: Sequence[Row]) -> None:
        """Nowhere: what a backtest says is its outcome."""

    def cursor(self, name: str) -> int:
        return self._cursors.get(name, 0)

    def advance(self, name: str, seq: int) -> None:
        self._cursors[name] = max(self.cursor(name), seq)

    def acquire_lease(
        self,
        name: str,
        holder: str,
        now_ns: int,
        ttl_s: float,
        claim: str = "",  # noqa: ARG002 - the store's signature: it is kept for nobody
    ) -> Lease | None:
        self._leases[name] = Lease(name, holder, 1, now_ns + round(ttl_s * NANOS_PER_SECOND))
        return self._leases[name]

    def renew_lease(self, lease: Lease, now_ns: int, ttl_s: float) -> Lease:
        """There is nobody to lose it to, however much time a jump lets pass."""
        self._leases[lease.name] = replace(lease, expires_at_ns=now_ns + round(ttl_s * NANOS_PER_SECOND))
        return self._leases[lease.name]

    def release_lease(self, lease: Lease, keep_for: str = "", until_ns: int = 0) -> None:
        """Nobody waits for it."""

    def reserve_lease(self, name: str, claim: str, until_ns: int) -> None:
        """Nobody else could take it."""

    def lease(self, name: str) -> tuple[Lease | None, Lease | None]:
        return self._leases.get(name), None

    def behind(self, fence: Fence) -> Self:  # noqa: ARG002 - the store's signature: nobody can take it over
        return self

    def close(self) -> None:
        """Nothing to let go."""

    def _settle(self, stream: str, events: Sequence[NewEvent]) -> None:
        account = stream.removeprefix(SETTLED)
        self._settled.extend(f"{ORDER}{account}/{event.payload['order_id']}" for event in events)
        while len(self._settled) > SETTLED_MAX:
            self._events.pop(self._settled.popleft(), None)

    def _stored(self, stream: str, seq: int, event: NewEvent) -> StoredEvent:
        self._position += 1
        return StoredEvent(
            position=self._position,
            stream=stream,
            seq=seq,
            type=event.type,
            version=event.version,
            ts_ns=event.ts_ns,
            payload=event.payload,
            correlation_id=event.correlation_id,
            causation_id=event.causation_id,
            attributes=event.attributes,
        )
