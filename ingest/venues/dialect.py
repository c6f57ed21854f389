"""What differs between venues on a WebSocket: addresses, subscriptions, answers, and what a frame says.

A new venue is a folder with a dialect, its decoders and a README that says what was proven on which recordings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol, runtime_checkable

from ares.model.market import TradeRun
from ingest.books import BookUpdate
from ingest.feed import BookRules, Channel, MarketEvent
from ingest.venues.wire import Names

Answer = Literal["confirmed", "refused", "greeting", "leaving"]
"""What a frame says to a request: yes, no, or nothing yet, for a venue that greets may still refuse. "leaving" is no
answer but the venue's word that it will end this connection."""


class Dialect(Protocol):
    """One venue's words. Pure: it is told everything and does no I/O."""

    @property
    def book_rules(self) -> BookRules:
        """How the changes of its books follow one another."""
        ...

    @property
    def heartbeat(self) -> tuple[bytes, bytes] | None:
        """What to say on a line that is silent, and how its answer begins; None where WebSocket's own pings do."""
        ...

    def address(self, base: str | None, channel: Channel) -> str:
        """Where to connect for a channel; `base` is the configured address, None for the venue's own."""
        ...

    def opening(self, channel: Channel, names: Names, *, levels: int) -> Sequence[bytes]:
        """What to send once connected: subscriptions of every symbol."""
        ...

    def resubscription(self, symbol: str, names: Names) -> Sequence[bytes]:
        """What to send for a new snapshot of a book; nothing where no subscription brings one: it comes by REST."""
        ...

    def answer_of(self, payload: bytes) -> Answer | None:
        """Whether a frame answers a request of ours, comes before any answer, or says goodbye; None for data."""
        ...

    def decode(self, channel: Channel, payload: object, names: Names, received_at_ns: int) -> Sequence[MarketEvent]:
        """What a frame says; nothing for answers and heartbeats. Raises `MalformedFrame`, and nothing else."""
        ...

    def runs(self, payloads: Sequence[object], names: Names, receipts_ns: Sequence[int]) -> Sequence[TradeRun] | None:
        """Frames of `trades` in columns, one run per symbol; None if any of them is not an ordinary trade."""
        ...


@runtime_checkable
class NumbersFrames(Protocol):
    """A dialect whose venue counts the frames of a connection, so that one that was lost shows."""

    def number_of(self, channel: Channel, payload: bytes) -> int | None:
        """The number of a frame; None where a lost one shows by other means."""
        ...


class Snapshots(Protocol):
    """Where snapshots of books come from if not from the stream. Raises `VenueUnavailable` or `VenueRejected`."""

    async def book(self, symbol: str) -> BookUpdate: ...

    async def close(self) -> None: ...
