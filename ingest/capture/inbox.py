"""What waits to be written to a capture: bounded, entered on the event loop, emptied by a thread, without a lock."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.books import BookUpdate
from ingest.capture.records import Kind, Record, json_of
from ingest.feed import Channel, Frame

BYTES_MAX = 64 * 1024 * 1024
"""With so much waiting, what comes is counted and not captured: the collector never waits for the disk."""
HURRY_BYTES = 4 * 1024 * 1024
"""With so much waiting the writer is woken before its time."""
FRAME_BYTES = 100
"""What a frame costs beside its payload."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Records of one connection, not yet made: that is for the thread."""

    channel: Channel
    connection: int
    size: int
    frames: Sequence[Frame] = ()
    record: Record | None = None


@dataclass(slots=True)
class Inbox:
    """`put` is called by one thread only, and so is `take`: each writes numbers that the other only reads."""

    wake: threading.Event = field(default_factory=threading.Event)
    bytes_max: int = BYTES_MAX
    on_lost: Callable[[Channel, int], None] = lambda _channel, _messages: None
    _parcels: deque[Parcel] = field(default_factory=deque)
    _entered: int = 0
    _taken: int = 0
    _lost: dict[Channel, int] = field(default_factory=dict)

    def put(self, parcel: Parcel, at_ns: int) -> None:
        """Let a parcel in; if there is no room it is counted, and said before what enters next (`lost`)."""
        messages = len(parcel.frames) or 1
        waiting = self._entered - self._taken
        if waiting + parcel.size > self.bytes_max:
            self._lost[parcel.channel] = self._lost.get(parcel.channel, 0) + messages
            self.on_lost(parcel.channel, messages)
            self.wake.set()
            return
        missing = self._lost.pop(parcel.channel, 0)
        if missing:
            self._enter(lost(parcel.channel, parcel.connection, missing, at_ns))
        self._enter(parcel)
        if waiting > HURRY_BYTES:
            self.wake.set()

    def end(self, at_ns: int) -> None:
        """Nothing more is put: what found no room since is said behind what did."""
        for channel, missing in self._lost.items():
            self._enter(lost(channel, 0, missing, at_ns))
        self._lost.clear()

    def _enter(self, parcel: Parcel) -> None:
        self._parcels.append(parcel)
        self._entered += parcel.size

    def take(self) -> Iterator[Parcel]:
        """What waits now, the oldest first."""
        while self._parcels:
            parcel = self._parcels.popleft()
            yield parcel
            self._taken += parcel.size


def lost(channel: Channel, connection: int, messages: int, at_ns: int) -> Parcel:
    """Says that so many messages of a channel are not in the capture."""
    return Parcel(channel, connection, 0, record=Record(at_ns, channel, connection, "lost", json_of(messages)))


def parcel_of(channel: Channel, connection: int, frames: Sequence[Frame]) -> Parcel:
    """Frames as they were taken from a line."""
    size = sum([len(each.payload) for each in frames if isinstance(each.payload, bytes)])
    return Parcel(channel, connection, size + FRAME_BYTES * len(frames), frames)


def single(at_ns: int, channel: Channel, connection: int, kind: Kind, payload: bytes) -> Parcel:
    """One record that is made already."""
    record = Record(at_ns, channel, connection, kind, payload)
    return Parcel(channel, connection, len(payload) + FRAME_BYTES, record=record)


def records_of(parcel: Parcel) -> Iterator[Record]:
    """The records of a parcel."""
    if parcel.record is not None:
        yield parcel.record
    for frame in parcel.frames:
        payload = frame.payload
        if isinstance(payload, BookUpdate):
            yield Record(frame.received_at_ns, parcel.channel, parcel.connection, "snapshot", json_of(payload))
        elif isinstance(payload, bytes):
            yield Record(frame.received_at_ns, parcel.channel, parcel.connection, "recv", payload)
