"""Which messages of a topic are dealt with, so that what is committed never runs ahead of what is stored. Pure.

What is read enters a lane in order and leaves it in order, counted in rows. A message is dealt with once as many rows
left the lane as had entered it up to and with that message. Then everything before it is dealt with too, so that an
offset that is committed leaves no hole below it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ares.clock import NANOS_PER_SECOND


@dataclass(slots=True)
class Part:
    """One partition while it is ours: what is read next, what is dealt with, what the group knows of that."""

    turn: int
    following: int | None
    done: int | None
    committed: int | None
    done_ts_ns: int = 0


@dataclass(frozen=True, slots=True)
class Entered:
    """A message in the lane: `rows_until` have entered up to and with it; `turn` is whose assignment it came by."""

    partition: int
    turn: int
    following: int
    ts_ns: int
    rows_until: int


@dataclass(slots=True)
class Offsets:
    """The partitions of one member of a group."""

    parts: dict[int, Part] = field(default_factory=dict)
    _lane: deque[Entered] = field(default_factory=deque)
    _turns: int = 0
    _rows_in: int = 0

    def assigned(self, starts: Mapping[int, int | None]) -> None:
        """These are ours from now on, each from the offset that the group committed."""
        self._turns += 1
        for partition, start in starts.items():
            self.parts[partition] = Part(self._turns, start, start, start)

    def revoked(self, partitions: Collection[int]) -> None:
        """These are no longer ours: nothing of them is committed any more, whatever the lane still holds."""
        for partition in partitions:
            self.parts.pop(partition, None)

    def read(self, partition: int, offset: int) -> int | None:
        """A message was read: how many before it will never be. None: it is not ours to write.

        One that was read before is written again, which changes nothing: the topic may be a new one of an old name.
        """
        part = self.parts.get(partition)
        if part is None:
            return None
        missed = 0 if part.following is None else max(0, offset - part.following)
        part.following = offset + 1
        return missed

    def entered(self, partition: int, offset: int, rows: int, ts_ns: int) -> None:
        """The message, read before, is in the lane with its rows; `ts_ns` is when it was sent."""
        self._rows_in += rows
        part = self.parts.get(partition)
        turn = 0 if part is None else part.turn
        self._lane.append(Entered(partition, turn, offset + 1, ts_ns, self._rows_in))

    def settle(self, rows_out: int) -> None:
        """So many rows have left the lane since the beginning."""
        while self._lane and self._lane[0].rows_until <= rows_out:
            left = self._lane.popleft()
            part = self.parts.get(left.partition)
            if part is not None and part.turn == left.turn:
                part.done, part.done_ts_ns = left.following, left.ts_ns

    def due(self) -> dict[int, int]:
        """What can be committed and is not."""
        return {
            partition: part.done
            for partition, part in self.parts.items()
            if part.done is not None and part.done != part.committed
        }

    def committed(self, offsets: Mapping[int, int]) -> None:
        """The group knows these."""
        for partition, offset in offsets.items():
            if partition in self.parts:
                self.parts[partition].committed = offset

    def lag(self, partition: int, end: int, now_ns: int) -> tuple[int, float]:
        """Messages up to `end` that are not dealt with, and seconds since the oldest known of them was sent."""
        part = self.parts.get(partition)
        messages = 0 if part is None else max(0, end - (part.done or 0))
        if part is None or not messages:
            return 0, 0.0
        waiting = next((each.ts_ns for each in self._lane if each.partition == partition), part.done_ts_ns)
        return messages, max(0.0, (now_ns - waiting) / NANOS_PER_SECOND) if waiting else 0.0
