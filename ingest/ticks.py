"""Entries as messages of a topic: everything of one symbol at one venue under one key, in order. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from ares.errors import StreamUnreadable
from ares.kafka import Incoming, Outgoing
from ares.model.market import Entry, TradeRun
from ares.model.row import Row
from ingest.entries import decoded, encoded
from ingest.feed import Rejected, clean

FORMAT_HEADER = "format"
FORMAT = b"ares-entries-1"
HEADERS: Mapping[str, bytes] = MappingProxyType({FORMAT_HEADER: FORMAT})
BYTES_MAX = 512 * 1024
"""Of a message before compression; brokers take a megabyte unless they are told otherwise."""


def messages_of(entries: Sequence[Entry], bytes_max: int = BYTES_MAX) -> list[Outgoing]:
    """The entries by key, each key's in order, in messages of at most so many bytes; a row that is larger goes alone.

    Brokers keep what has one key in one partition, in order.
    """
    by_key: dict[str, list[Entry]] = {}
    for entry in entries:
        by_key.setdefault(key_of(entry), []).append(entry)
    return [Outgoing(key, payload) for key, mine in by_key.items() for payload in _payloads(mine, bytes_max)]


def key_of(entry: Entry) -> str:
    """Whose it is: venue:symbol. What belongs to no symbol has a key of its venue's own."""
    if isinstance(entry, TradeRun):
        return f"{entry.venue}:{entry.symbol}"
    symbols = entry.symbols
    return f"{symbols.get('venue', '')}:{symbols.get('symbol', '')}"


def entries_of(message: Incoming) -> list[Entry]:
    """What a message holds; one that holds no entries becomes a row of `quarantine`, the same one each time.

    Raises `StreamUnreadable` for a format that only a later release can read.
    """
    known = message.headers.get(FORMAT_HEADER)
    if known not in {None, FORMAT}:
        raise StreamUnreadable(f"message {message.offset} of partition {message.partition}", str(known))
    try:
        if known == FORMAT:
            return decoded(message.value)
        reason = "the header 'format' is missing"
    except msgspec.DecodeError as error:
        reason = str(error)
    return [_foreign(message, reason)]


def missed_row(topic: str, message: Incoming, count: int) -> Row:
    """So many messages before this one were gone before they were read: a database that has this row has holes."""
    first, last = message.offset - count, message.offset - 1
    raw = f"{topic} partition {message.partition}: {first} to {last}"
    return Rejected("kafka", "missed", f"{count} messages were gone", raw, message.ts_ns).to_row("")


def _foreign(message: Incoming, reason: str) -> Row:
    raw = clean(message.value.decode("utf-8", "backslashreplace"))
    venue, _, symbol = message.key.partition(":")
    return Rejected("kafka", "message", reason, raw, message.ts_ns, clean(symbol)).to_row(clean(venue))


def _payloads(entries: Sequence[Entry], bytes_max: int) -> Iterator[bytes]:
    payload = encoded(entries)
    halves = [] if len(payload) <= bytes_max else halved(entries)
    if not halves:
        yield payload
    for half in halves:
        yield from _payloads(half, bytes_max)


def halved(entries: Sequence[Entry]) -> list[Sequence[Entry]]:
    """The first and the second half; nothing if that is one row."""
    if len(entries) > 1:
        middle = len(entries) // 2
        return [entries[:middle], entries[middle:]]
    only = entries[0]
    if not isinstance(only, TradeRun) or len(only) == 1:
        return []
    middle = len(only) // 2
    return [[only.part(slice(None, middle))], [only.part(slice(middle, None))]]
