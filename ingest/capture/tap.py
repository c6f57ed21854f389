"""What a line to a venue tells whoever keeps its raw frames. Never waits, never raises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingest.capture.records import Answer
from ingest.feed import Channel, Frame


class Tap(Protocol):
    """Told of everything that goes over a line, in order."""

    def opened(self, channel: Channel, address: str) -> int:
        """A line is open; the number by which it is called from now on."""
        ...

    def took(self, channel: Channel, connection: int, frames: Sequence[Frame]) -> None:
        """These arrived, or were put among what arrived: snapshots."""
        ...

    def sent(self, channel: Channel, connection: int, message: bytes) -> None:
        """We said this."""
        ...

    def closed(self, channel: Channel, connection: int, reason: bytes) -> None:
        """The line is no more."""
        ...

    def answered(self, channel: Channel, answer: Answer, at_ns: int) -> None:
        """The venue answered a question over REST at this moment (UTC ns)."""
        ...


class NoTap:
    """Keeps nothing."""

    def opened(self, channel: Channel, address: str) -> int:  # noqa: ARG002 - nobody is told
        return 0

    def took(self, channel: Channel, connection: int, frames: Sequence[Frame]) -> None: ...

    def sent(self, channel: Channel, connection: int, message: bytes) -> None: ...

    def closed(self, channel: Channel, connection: int, reason: bytes) -> None: ...

    def answered(self, channel: Channel, answer: Answer, at_ns: int) -> None: ...


NO_TAP = NoTap()
