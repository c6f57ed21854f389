"""A captured moment of a connection as one line of text, so that `zstd -dc FILE` shows what a venue said. Pure.

    <receipt, UTC ns> <channel> <connection> <kind> <payload>

The payload is what the venue sent, byte for byte. One that holds a line feed is written in base64, and its kind ends
in `64`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Literal, TypeVar, get_args

import msgspec

from ingest.contracts import Size

T = TypeVar("T")

Kind = Literal["begin", "open", "recv", "send", "snapshot", "answer", "lost", "close"]
"""What happened: a segment begins (`About`), a line is opened (its address), a message came or went, a snapshot of a
book came by REST (`BookUpdate`), a question about the past was answered (`Answer`), so many messages are not here
because capturing could not keep up (their number), the line ended (why)."""

KINDS: Mapping[bytes, Kind] = {kind.encode(): kind for kind in get_args(Kind)}
BASE64 = b"64"
FORMAT = "ares-capture-1"
WE_HANG_UP = b"we hang up"
"""The reason of a `close` where it was not the venue's."""
HANDED_OVER = b"handed over"
"""The reason of a `close` after which another line goes on, and nothing is missing between the two."""


class MalformedRecord(Exception):
    """A line that is none of a capture; the message says what is wrong with it."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One captured moment of a channel's connection; `at_ns` is our clock, connections are counted by process."""

    at_ns: int
    channel: str
    connection: int
    kind: Kind
    payload: bytes


class About(msgspec.Struct, frozen=True):
    """What a replay must know of a segment: whose it is, in which words, and by which settings books were written."""

    format: str
    venue: str
    protocol: str
    symbols: dict[str, str]
    """The venue's own ("BTCUSDT") → ours ("BTC/USDT")."""
    book_levels: int
    book_s_min: float
    sizes: dict[str, Size] = {}
    """What a contract of our symbol holds, where frames count in contracts."""


class Answer(msgspec.Struct, frozen=True):
    """An answer over REST as its JSON said it; a venue's answer does not say whose it is, so the question is kept."""

    operation: str
    symbol: str
    venue_symbol: str
    endpoint: str
    params: dict[str, object]
    answer: object


def line_of(record: Record) -> bytes:
    """The record as a line, with its line feed."""
    kind, payload = record.kind.encode(), record.payload
    if b"\n" in payload:
        kind, payload = kind + BASE64, b64encode(payload)
    return b"%d %b %d %b %b\n" % (record.at_ns, record.channel.encode(), record.connection, kind, payload)


def record_of(line: bytes) -> Record:
    """The record of a line without its line feed. Raises `MalformedRecord`."""
    parts = line.split(b" ", 4)
    if len(parts) != 5:
        raise MalformedRecord(f"{len(parts)} fields instead of time, channel, connection, kind and payload")
    at, channel, connection, word, payload = parts
    try:
        if word.endswith(BASE64):
            word, payload = word.removesuffix(BASE64), b64decode(payload, validate=True)
        return Record(int(at), channel.decode(), int(connection), KINDS[word], payload)
    except KeyError:
        raise MalformedRecord(f"of no known kind: {word[:40]!r}") from None
    except (ValueError, binascii.Error) as error:
        raise MalformedRecord(str(error)[:200]) from None


def about_of(record: Record) -> About:
    """What a `begin` says. Raises `MalformedRecord`, for another version too."""
    about = _decoded(record, About)
    if about.format != FORMAT:
        raise MalformedRecord(f"of the format {about.format!r}; this Ares reads {FORMAT!r}")
    return about


def answer_of(record: Record) -> Answer:
    """What an `answer` says. Raises `MalformedRecord`."""
    return _decoded(record, Answer)


def lost_of(record: Record) -> int:
    """How many messages are missing where a `lost` stands. Raises `MalformedRecord`."""
    return _decoded(record, int)


def json_of(value: object) -> bytes:
    """A payload that is ours, not the venue's."""
    return msgspec.json.encode(value)


def _decoded(record: Record, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(record.payload, type=kind)
    except msgspec.MsgspecError as error:
        raise MalformedRecord(f"{record.kind}: {error}") from None
