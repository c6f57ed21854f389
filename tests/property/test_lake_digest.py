"""A fingerprint says the same of the same rows, however they come, and something else of any other rows."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares.lake.delta import ColdTable
from ares.lake.digest import TableDigest, digest_stream, digest_table
from ares.lake.files import rows_of, schema_of, write_rows

KEYS = ("ts", "id")
SCHEMA = pa.schema(
    [
        ("ts", pa.timestamp("ns")),
        ("id", pa.string()),
        ("price", pa.float64()),
        ("size", pa.int64()),
        ("flag", pa.bool_()),
        ("fee", pa.decimal128(28, 10)),
        ("levels", pa.list_(pa.list_(pa.float64()))),
        ("seen", pa.timestamp("ns")),
    ]
)
doubles = st.none() | st.floats(width=64)
moments = st.integers(-(10**15), 2 * 10**18)
fees = st.none() | st.decimals(-(10**9), 10**9, places=10, allow_nan=False)
levels = st.none() | st.lists(st.lists(st.floats(allow_nan=False, width=64), max_size=3), max_size=2)
row = st.tuples(
    st.integers(0, 3).map(lambda step: 1_700_000_000_000_000_000 + step),
    st.text(max_size=4),
    doubles,
    st.none() | st.integers(-(2**62), 2**62),
    st.booleans(),
    fees,
    levels,
    st.none() | moments,
)
tables = st.lists(row, max_size=12, unique_by=lambda each: each[:2])


def table_of(rows: list[tuple[object, ...]]) -> pa.Table:
    columns = [pa.array([each[at] for each in rows], column.type) for at, column in enumerate(SCHEMA)]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def in_chunks(table: pa.Table, rows_max: int) -> list[pa.RecordBatch]:
    batches: list[pa.RecordBatch] = table.combine_chunks().to_batches(max_chunksize=rows_max)
    return batches


@given(tables, st.integers(1, 5), st.randoms(use_true_random=False))
def test_neither_chunks_nor_the_order_of_arrival_count(
    rows: list[tuple[object, ...]], size: int, chance: object
) -> None:
    table = table_of(rows)
    expected = digest_table(table, KEYS)
    shuffled = list(rows)
    chance.shuffle(shuffled)  # type: ignore[attr-defined] # Hypothesis' random
    assert digest_table(table_of(shuffled), KEYS) == expected
    by_time = sorted(rows, key=lambda each: int(str(each[0])))
    assert digest_stream(in_chunks(table_of(by_time), size), KEYS) == expected


@given(tables)
def test_encoding_of_a_column_does_not_count(rows: list[tuple[object, ...]]) -> None:
    table = table_of(rows)
    encoded = table.set_column(1, "id", table.column("id").combine_chunks().dictionary_encode())
    zoned = encoded.set_column(0, "ts", encoded.column("ts").cast(pa.timestamp("ns", "UTC")))
    wide = zoned.set_column(5, "fee", zoned.column("fee").cast(pa.decimal128(38, 18)))
    large = wide.set_column(6, "levels", wide.column("levels").cast(pa.large_list(pa.list_(pa.float64()))))
    assert digest_table(large, KEYS) == digest_table(table, KEYS)


@given(tables.filter(bool), st.data())
def test_any_change_of_a_value_is_seen(rows: list[tuple[object, ...]], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(rows) - 1))
    column = data.draw(st.integers(2, len(SCHEMA) - 1))
    other = data.draw(row)[column]
    changed = [*rows[:at], (*rows[at][:column], other, *rows[at][column + 1 :]), *rows[at + 1 :]]
    same = digest_table(table_of(rows), KEYS) == digest_table(table_of(changed), KEYS)
    assert same == (plain(rows[at][column]) == plain(other))


def plain(value: object) -> str:
    """As it is stored: NaN is NULL, -0.0 is not 0.0."""
    if isinstance(value, float):
        return "None" if value != value else repr(value)  # noqa: PLR0124 - that is what a NaN is
    return f"{value:f}" if isinstance(value, Decimal) and value else "0" if isinstance(value, Decimal) else repr(value)


@given(tables.filter(bool))
def test_row_more_or_less_is_seen(rows: list[tuple[object, ...]]) -> None:
    assert digest_table(table_of(rows), KEYS) != digest_table(table_of(rows[1:]), KEYS)


def test_text_that_moves_from_one_row_to_the_next_is_seen() -> None:
    def ids(*texts: str | None) -> TableDigest:
        return digest_table(
            pa.table({"ts": pa.array(range(len(texts)), pa.timestamp("ns")), "id": list(texts)}), ["ts"]
        )

    assert len({ids("ab", "c"), ids("a", "bc"), ids("abc", ""), ids("abc", None)}) == 4


def test_rows_that_go_back_in_time_are_refused() -> None:
    batch = pa.record_batch({"ts": pa.array([2, 1], pa.timestamp("ns"))})
    with pytest.raises(ValueError, match="order"):
        digest_stream([batch], ["ts"])


@settings(max_examples=15)
@given(tables.filter(bool), st.integers(1, 4))
def test_delta_lake_gives_back_what_it_was_given(rows: list[tuple[object, ...]], size: int) -> None:
    table = table_of(sorted(rows, key=lambda each: int(str(each[0]))))
    part = table.append_column("venue", pa.array(["v'x"] * table.num_rows))
    with TemporaryDirectory() as folder:
        cold = ColdTable(f"{folder}/t", ("venue",), {})
        first = cold.replace({"venue": "v'x"}, part.schema, in_chunks(part, size))
        expected = digest_table(part, KEYS)
        assert digest_table(pa.Table.from_batches(list(cold.read({"venue": "v'x"}))), KEYS) == expected
        second = cold.replace({"venue": "v'x"}, part.schema, in_chunks(part.slice(0, 0), size))
        assert sum(batch.num_rows for batch in cold.read({}, second.version)) == 0
        cold.vacuum(0, [first.version])
        assert digest_table(pa.Table.from_batches(list(cold.read({}, first.version))), KEYS) == expected


@given(tables, st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=20)
def test_file_is_the_same_bytes_however_rows_were_cut(rows: list[tuple[object, ...]], one: int, other: int) -> None:
    table = table_of(sorted(rows, key=lambda each: int(str(each[0]))))
    with TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("a", "b")]
        for path, size in zip(paths, (one, other), strict=True):
            assert write_rows(path, SCHEMA, in_chunks(table, size)) == len(rows)
        assert paths[0].read_bytes() == paths[1].read_bytes()
        assert digest_stream(rows_of(paths[0]), KEYS) == digest_table(table, KEYS)
        assert schema_of(paths[0]).names == SCHEMA.names
