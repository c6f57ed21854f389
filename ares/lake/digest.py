"""A fingerprint of rows that does not depend on how they came: from QuestDB, from Delta Lake, in which chunks.

Each column becomes a few streams of bytes (which rows have a value, how long each is, the values), each stream one
SHA-256, so that chunks of any size give the same. A double is its bits, but for NaN, which is NULL as in QuestDB;
times are nanoseconds, decimals their text with 38 digits behind the point, numbers without a fraction 64 bits,
symbols and texts UTF-8.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

WIDE_DECIMAL = pa.decimal256(76, 38)


class Hash(Protocol):
    """What of `hashlib` is used."""

    def update(self, data: memoryview | bytes, /) -> None: ...

    def digest(self) -> bytes: ...


def _sha256() -> Hash:
    return hashlib.sha256()


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows, and the fingerprint of all of them in the order of their keys."""

    rows: int
    sha256: str


def digest_table(table: pa.Table, keys: Sequence[str]) -> TableDigest:
    """Of rows that are in memory, in any order."""
    return digest_stream(_sorted(table, keys).to_batches(), keys)


def digest_stream(
    batches: Iterable[pa.RecordBatch], keys: Sequence[str], *, valueless_columns: bool = True
) -> TableDigest:
    """Of rows that arrive in the order of the first key; those that share it are put in order here.

    Without `valueless_columns` one that has no value in any row counts as if it were not there: a table that was given
    a column since, or lost one that was never filled, holds the same rows. Raises `ValueError` where the first key goes
    back.
    """
    streams: dict[str, ColumnStream] = {}
    rows = 0
    for table in _ordered(batches, keys):
        rows += table.num_rows
        for name in table.column_names:
            stream = streams.setdefault(name, ColumnStream())
            for chunk in table.column(name).chunks:
                stream.add(chunk)
    whole = _sha256()
    for name in sorted(name for name, stream in streams.items() if valueless_columns or stream.has_values):
        whole.update(f"{name}\0{streams[name].kind}\0".encode())
        whole.update(streams[name].digest())
    return TableDigest(rows, hashlib.sha256(struct.pack("<q", rows) + (whole.digest() if rows else b"")).hexdigest())


def _ordered(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.Table]:
    """The rows, sorted; those of the last value of the first key wait for the next batch, which may have more."""
    held: pa.Table | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        fresh = pa.Table.from_batches([batch])
        table = fresh if held is None else pa.concat_tables([held, fresh])
        first = table.column(keys[0]).combine_chunks()
        if table.num_rows > 1 and not pc.all(pc.greater_equal(first[1:], first[:-1])).as_py():
            raise ValueError(f"rows are not in the order of {keys[0]}")
        whole = table.num_rows - int(pc.sum(pc.equal(first, first[-1])).as_py())
        held = table.slice(whole)
        if whole:
            yield _sorted(table.slice(0, whole), keys)
    if held is not None:
        yield _sorted(held, keys)


def _sorted(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    return table.take(pc.sort_indices(plain_keys(table, keys), sort_keys=[(key, "ascending") for key in keys]))


def plain_keys(table: pa.Table, keys: Sequence[str]) -> pa.Table:
    """The key columns as numbers, bytes or lists, whatever they are kept as."""
    return pa.table({key: canonical(table.column(key).combine_chunks())[1] for key in keys})


@dataclass(slots=True)
class ColumnStream:
    """The bytes of one column so far; a column of lists has one more of these for what is in them."""

    kind: str = ""
    has_values: bool = False
    _present: Hash = field(default_factory=_sha256)
    _lengths: Hash = field(default_factory=_sha256)
    _values: Hash = field(default_factory=_sha256)
    _inner: ColumnStream | None = None

    def add(self, values: pa.Array) -> None:
        """Append values. Raises `ValueError` for a type that no table of ours has, or one unlike those before."""
        kind, plain = canonical(values)
        if self.kind not in ("", kind):
            raise ValueError(f"a column of {self.kind} goes on as {kind}")
        self.kind = kind
        self.has_values = self.has_values or plain.null_count < len(plain)
        self._present.update(_bytes(pc.is_valid(plain).cast(pa.uint8())))
        if pa.types.is_large_list(plain.type):
            self._lengths.update(_bytes(pc.fill_null(pc.list_value_length(plain), 0)))
            self._inner = self._inner or ColumnStream()
            self._inner.add(plain.flatten())
        elif pa.types.is_large_binary(plain.type):
            filled = pc.fill_null(plain, b"")
            self._lengths.update(_bytes(pc.binary_length(filled)))
            self._values.update(_content(filled))
        else:
            self._values.update(_bytes(pc.fill_null(plain, 0)))

    def digest(self) -> bytes:
        """Of all that was added."""
        inner = b"" if self._inner is None else self._inner.kind.encode() + self._inner.digest()
        parts = self._present.digest() + self._lengths.digest() + self._values.digest() + inner
        return hashlib.sha256(parts).digest()


def canonical(values: pa.Array) -> tuple[str, pa.Array]:
    """A word for the type, and the values as numbers, bytes or lists. Raises `ValueError` for any other type."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        return canonical(values.cast(kind.value_type))
    if pa.types.is_floating(kind):
        doubles = values.cast(pa.float64())
        return "double", pc.if_else(pc.is_nan(doubles), pa.scalar(None, pa.float64()), doubles)
    if pa.types.is_boolean(kind):
        return "boolean", values.cast(pa.uint8())
    return _canonical_long(values) or _canonical_bytes(values)


def _canonical_long(values: pa.Array) -> tuple[str, pa.Array] | None:
    kind = values.type
    if pa.types.is_timestamp(kind):
        return "time", values.cast(pa.timestamp("ns", kind.tz)).cast(pa.int64())
    if pa.types.is_date(kind):
        return "date", values.cast(pa.date32()).cast(pa.int32()).cast(pa.int64())
    return ("long", values.cast(pa.int64())) if pa.types.is_integer(kind) else None


def _canonical_bytes(values: pa.Array) -> tuple[str, pa.Array]:
    kind = values.type
    if pa.types.is_decimal(kind):
        wide = values.cast(WIDE_DECIMAL)
        return "decimal", wide.cast(pa.large_string()).cast(pa.large_binary())
    if any(is_text(kind) for is_text in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        return "text", values.cast(pa.large_string()).cast(pa.large_binary())
    if pa.types.is_fixed_size_binary(kind):
        return "bytes", values.cast(pa.binary()).cast(pa.large_binary())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return "bytes", values.cast(pa.large_binary())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return "list", values.cast(pa.large_list(pa.field("item", kind.value_type)))
    raise ValueError(f"no fingerprint is defined for {kind}")


def _bytes(numbers: pa.Array) -> memoryview:
    return memoryview(numbers.to_numpy(zero_copy_only=False)).cast("B") if len(numbers) else memoryview(b"")


def _content(texts: pa.Array) -> memoryview:
    """The bytes of all texts, one after the other."""
    if not len(texts):
        return memoryview(b"")
    offsets = memoryview(texts.buffers()[1]).cast("q")
    start, end = offsets[texts.offset], offsets[texts.offset + len(texts)]
    data = texts.buffers()[2]
    return memoryview(b"") if data is None else memoryview(data)[start:end]
