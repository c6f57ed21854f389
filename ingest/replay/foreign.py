"""Captures of others, line by line, as our records. Pure.

hftbacktest: `<capture time> <frame of a combined stream>` (https://github.com/nkaz001/hftbacktest, examples), time in
ns or µs. cryptofeed: `<capture time, s>: <frame>`, `<address> -> <time>: <answer over REST>`, `<address> <-> <time>`
where a line was opened (https://github.com/bmoscon/cryptofeed, `util/async_file.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from types import MappingProxyType

import msgspec

from ares.clock import NANOS_PER_MICRO, NANOS_PER_SECOND
from ares.errors import MalformedFrame
from ingest.capture.records import MalformedRecord, Record, json_of
from ingest.feed import Channel
from ingest.venues.rest import Asked, RestWords

NANOS_FROM = 10**17
"""Capture times at or above this are nanoseconds, below it microseconds: both are found."""
CHANNEL_OF: Mapping[str, Channel] = MappingProxyType(
    {"aggTrade": "trades", "trade": "trades", "bookTicker": "quotes", "depth": "books"}
)
DEPTH = re.compile(rb"https?://\S*/depth\?\S*?symbol=(\w+)\S* -> ([0-9.]+): (.*)", re.DOTALL)
OPENED = re.compile(rb"wss?://\S+ <-> ([0-9.]+)")
ELSE = re.compile(rb"configuration: |https?://\S+ -> |wss?://\S+ <- ")


class Combined(msgspec.Struct):
    """How Binance wraps a frame that comes by an address of several streams."""

    stream: str
    data: msgspec.Raw


COMBINED = msgspec.json.Decoder(Combined)
OBJECT = msgspec.json.Decoder(dict[str, object])


@dataclass(slots=True)
class Foreign:
    """Whose the frames are and how their symbols are called here; what is left out and what came is counted.

    `single` are single trades, whose ids are others than those of aggregate ones.
    """

    venue: str
    words: RestWords
    names: Mapping[str, str]
    other: int = 0
    single: int = 0
    unknown: set[str] = field(default_factory=set)

    def hftbacktest(self, line: bytes) -> Iterator[Record]:
        """The record of a line. Raises `MalformedRecord`."""
        stamp, _, text = line.partition(b" ")
        at_ns = _whole(stamp)
        at_ns = at_ns if at_ns >= NANOS_FROM else at_ns * NANOS_PER_MICRO
        if text.startswith(b'{"stream"'):
            yield from self._frame(at_ns, text)
        else:
            if len(self.names) != 1:
                raise MalformedRecord("a snapshot does not say of what it is; name one --symbol")
            yield self._snapshot(at_ns, next(iter(self.names)), text)

    def cryptofeed(self, line: bytes) -> Iterator[Record]:
        """The records of a line, if it is about the market. Raises `MalformedRecord`."""
        if snapshot := DEPTH.match(line):
            name = snapshot[1].decode()
            if name in self.names:
                yield self._snapshot(_seconds(snapshot[2]), name, snapshot[3])
            else:
                self.unknown.add(name)
        elif opened := OPENED.match(line):
            for channel in dict.fromkeys(CHANNEL_OF.values()):
                yield Record(_seconds(opened[1]), channel, 0, "open", b"")
        elif line and not ELSE.match(line):
            stamp, _, text = line.partition(b": ")
            yield from self._frame(_seconds(stamp), text)

    def _frame(self, at_ns: int, text: bytes) -> Iterator[Record]:
        try:
            frame = COMBINED.decode(text)
        except msgspec.MsgspecError as error:
            raise MalformedRecord(f"not a frame of a combined stream of Binance: {error}") from None
        name, _, kind = frame.stream.partition("@")
        kind = kind.partition("@")[0]
        channel = CHANNEL_OF.get(kind)
        if channel is None:
            self.other += 1
        elif name.upper() not in self.names:
            self.unknown.add(name.upper())
        else:
            payload = bytes(frame.data)
            yield Record(at_ns, channel, 0, "recv", self._aggregate(payload) if kind == "trade" else payload)

    def _aggregate(self, payload: bytes) -> bytes:
        """A single trade in the shape of an aggregate of one."""
        self.single += 1
        try:
            trade = OBJECT.decode(payload)
        except msgspec.MsgspecError:
            return payload
        return json_of({**trade, "a": trade.get("t")})

    def _snapshot(self, at_ns: int, name: str, text: bytes) -> Record:
        asked = Asked(self.venue, self.names[name], name, at_ns)
        try:
            update = self.words.read_book(msgspec.json.decode(text), asked)
        except (msgspec.MsgspecError, MalformedFrame) as error:
            raise MalformedRecord(f"not a snapshot of a book: {error}") from None
        return Record(at_ns, "books", 0, "snapshot", json_of(update))


def reader_of(first_line: bytes, foreign: Foreign) -> Callable[[bytes], Iterator[Record]] | None:
    """What reads lines like this one; None: nothing of ours."""
    if re.match(rb"[0-9]{15,19} \{", first_line):
        return foreign.hftbacktest
    if OPENED.match(first_line) or ELSE.match(first_line) or re.match(rb"[0-9]+\.[0-9]+: [{\[]", first_line):
        return foreign.cryptofeed
    return None


def _whole(text: bytes) -> int:
    if not text.isdigit():
        raise MalformedRecord(f"no time: {text[:40]!r}")
    return int(text)


def _seconds(text: bytes) -> int:
    try:
        return int(Decimal(text.decode()) * NANOS_PER_SECOND)
    except (InvalidOperation, UnicodeDecodeError):
        raise MalformedRecord(f"no time: {text[:40]!r}") from None
