"""When a second line of a channel may take over from the first, and what of it is news. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from ares.errors import MalformedFrame
from ares.model.market import Trade
from ingest.books import BookUpdate
from ingest.feed import Channel, Frame, MarketEvent
from ingest.funding import FundingUpdate

OVERLAP_S = 1.0
"""Both lines are open at least so long: what the venue sent before it knew the second one is in by then."""
OVERLAP_S_MAX = 20.0
"""A second line that by then does not bring what the first one does is not better than it."""


@dataclass(slots=True)
class Handover:
    """Holds back what the second line brings until the first one has brought the same, symbol by symbol.

    Trades: nothing is missing between the two once the first line has brought the first trade of the second. Changes
    of a book, on whichever channel: likewise, or a snapshot of every symbol has come where the stream brings them.
    Quotes and funding rates have no chain: the overlap itself is enough. What is `held` and not older than what the
    first line brought is the `news`.
    """

    channel: Channel
    decode: Callable[[Frame], Sequence[MarketEvent]]
    symbols: Sequence[str]
    snapshots: bool = False
    confirmed_s: float | None = None
    overlapped: bool = False
    held: list[Frame] = field(default_factory=list)
    newest: dict[str, int] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    books: bool = False
    """Whether changes of books come on this channel."""

    def confirm(self, now_s: float) -> None:
        """The venue took the subscription of the second line."""
        if self.confirmed_s is None:
            self.confirmed_s = now_s

    def brought(self, frames: Sequence[Frame]) -> None:
        """The first line brought these, and they were passed on."""
        if frames and self.confirmed_s is not None:
            self.overlapped = True
        for frame in frames:
            for event in self._events(frame):
                self.newest[event.symbol] = max(last_of(event), self.newest.get(event.symbol, 0))

    def hold(self, frames: Sequence[Frame]) -> None:
        """The second line brought these."""
        self.held += frames
        for frame in frames:
            for event in self._events(frame):
                self.first.setdefault(event.symbol, first_of(event))
                if isinstance(event, BookUpdate):
                    self.books = True
                    if event.snapshot:
                        self.begun.add(event.symbol)

    def is_ready(self, now_s: float) -> bool:
        """Whether nothing is lost by going on with the second line."""
        if self.confirmed_s is None or not self.first or now_s - self.confirmed_s < OVERLAP_S:
            return False
        if self.books and self.snapshots:
            return self.begun.issuperset(self.symbols)
        if self.channel in ("quotes", "funding"):
            return True
        return all(self._reaches(symbol, first) for symbol, first in self.first.items())

    def is_late(self, now_s: float) -> bool:
        """Whether the second line is not worth waiting for any longer; while both are silent it is."""
        if self.confirmed_s is None or now_s - self.confirmed_s < OVERLAP_S_MAX:
            return False
        return self.overlapped or bool(self.held)

    def news(self) -> list[Frame]:
        """What the second line brought and the first did not."""
        held, self.held = self.held, []
        if self.books:
            return held if self.snapshots else list(self._changes(held))
        return [frame for frame in held if not self._is_old(frame)]

    def _reaches(self, symbol: str, first: int) -> bool:
        return symbol in self.newest and self.newest[symbol] >= first - self.books

    def _is_old(self, frame: Frame) -> bool:
        events = list(self._events(frame))
        return bool(events) and all(last_of(event) <= self.newest.get(event.symbol, -1) for event in events)

    def _changes(self, held: Sequence[Frame]) -> Iterator[Frame]:
        """Changes of books; one that begins inside of what is known already is cut, for its amounts are absolute."""
        for frame in held:
            if self._is_old(frame):
                continue
            events = list(self._events(frame))
            known = self.newest.get(events[0].symbol, -1) if events else -1
            if len(events) == 1 and isinstance(events[0], BookUpdate) and events[0].first_id <= known:
                cut = msgspec.structs.replace(events[0], first_id=known + 1)
                yield Frame(self.channel, cut, frame.received_at_ns)
            else:
                yield frame

    def _events(self, frame: Frame) -> Sequence[MarketEvent]:
        try:
            return self.decode(frame)
        except MalformedFrame:
            return ()


def last_of(event: MarketEvent) -> int:
    """The newest id that an event speaks of."""
    if isinstance(event, Trade):
        return event.seq
    if isinstance(event, FundingUpdate):
        return event.ts_ns
    return event.last_id if isinstance(event, BookUpdate) else event.update_id


def first_of(event: MarketEvent) -> int:
    """The oldest id that an event speaks of."""
    return event.first_id if isinstance(event, BookUpdate) else last_of(event)
