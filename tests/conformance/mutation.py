"""Frames spoiled at random, and what must hold of whatever comes out of them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from ares.errors import MalformedFrame
from ares.model.market import Book, Trade
from ares.model.row import Row
from ares.store.lines import Lines
from ingest.books import BookUpdate
from ingest.desk import Desk
from ingest.feed import Channel, Frame, MarketEvent
from ingest.funding import FundingUpdate
from ingest.venues.dialect import Answer, Dialect, NumbersFrames
from ingest.venues.wire import Names
from tests.conformance.bench import T0, OfflineFeed, apart

NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
NUMBERS = (b"0", b"-1", b"1", b"7", b"1e999", b"9223372036854775808", b"1.5", b"", b"00", b"nan", b"\xd9\xa3")
"""What is put where a number was."""
SPLICES = (b"", b'"', b"0", b"-", b"-1", b"e9", b"1e999", b'"nan"', b"null", b"[]", b"{}", b"\n", b"\xd9\xa3")
"""What is put where bytes were."""
CUT_BYTES_MAX = 20
NUMBER_SHARE = 0.4
"""Of frames in which only a number is another: they are understood more often, and say what no market does."""
LINES = Lines()


def mutated(frame: bytes, others: Sequence[bytes], rng: random.Random) -> bytes:
    """The frame with another number in it, or with one to four pieces cut out, replaced, or taken from another one."""
    number = NUMBER.search(frame, rng.randrange(len(frame))) if rng.random() < NUMBER_SHARE else None
    if number is not None:
        return frame[: number.start()] + rng.choice((*NUMBERS, number[0][::-1])) + frame[number.end() :]
    for _ in range(rng.randint(1, 4)):
        start = rng.randint(0, len(frame))
        end = rng.randint(start, min(len(frame), start + CUT_BYTES_MAX))
        put = rng.choice((*SPLICES, rng.randbytes(rng.randint(0, 4)), rng.choice(others)[start:end]))
        frame = frame[:start] + put + frame[end:]
    return frame


@dataclass
class Outcome:
    """What became of frames: each is understood, says nothing of the market, or is refused."""

    understood: int = 0
    nothing: int = 0
    refused: int = 0
    answered: int = 0
    rows: int = 0
    quarantined: int = 0

    @property
    def counted(self) -> int:
        """All of them."""
        return self.understood + self.nothing + self.refused


@dataclass
class Mill:
    """What spoiled frames go through: the decoder, columns, and the desk that makes rows. Raises `AssertionError`."""

    dialect: Dialect
    names: Names
    feed: OfflineFeed
    desk: Desk
    outcome: Outcome = field(default_factory=Outcome)

    def grind(self, channel: Channel, payload: bytes) -> None:
        """Take one frame in, whatever it is."""
        answer = self.dialect.answer_of(payload)
        assert answer is None or answer in get_args(Answer)
        if isinstance(self.dialect, NumbersFrames):
            number = self.dialect.number_of(channel, payload)
            assert number is None or number >= 0
        events = self._decoded(channel, payload)
        for event in events or ():
            assert_sound(event)
        if channel == "trades":
            runs = self.dialect.runs([payload], self.names, [T0])
            at_once = [trade for run in runs or () for trade in run.trades()]
            assert not at_once or sorted(map(repr, at_once)) == sorted(map(repr, events or ())), payload
        answered = events is None and answer not in (None, "refused")
        self.outcome.answered += answered
        self._store(channel, payload, refused=events is None and not answered)

    def _decoded(self, channel: Channel, payload: bytes) -> Sequence[MarketEvent] | None:
        """What it says; None if it is refused."""
        try:
            events = self.dialect.decode(channel, payload, self.names, T0)
        except MalformedFrame:
            self.outcome.refused += 1
            return None
        if events:
            self.outcome.understood += 1
        else:
            self.outcome.nothing += 1
        return events

    def _store(self, channel: Channel, payload: bytes, *, refused: bool) -> None:
        """A refused frame is one row of `quarantine`; every row can be stored, and none holds a crossed book."""
        rows = apart(self.desk.rows_of(self.feed, [Frame(channel, payload, T0)]))
        assert not rows or LINES.of(rows)
        kept = [row for row in rows if isinstance(row, Row) and row.table == "quarantine"]
        assert not refused or len(kept) == 1, (payload, rows)
        for row in rows:
            assert not isinstance(row, Book) or row.bids[0][0] < row.asks[0][0]
            assert not isinstance(row, Trade) or (row.seq >= 0 and row.side in ("buy", "sell") and row.amount > 0)
        self.outcome.rows += len(rows) - len(kept)
        self.outcome.quarantined += len(kept)


def assert_sound(event: MarketEvent) -> None:
    """Times fit, and levels of books, which no validator sees, are finite and positive."""
    if isinstance(event, BookUpdate):
        levels = (*event.bids, *event.asks)
        assert all(0.0 < price < float("inf") and 0.0 <= amount < float("inf") for price, amount in levels)
    assert isinstance(event, FundingUpdate) or -(2**63) <= event.ts_ns < 2**63
