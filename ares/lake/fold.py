"""Files and parts of the cold tier set against each other: fingerprints, and one laid over the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ares.lake.delta import ColdTable
from ares.lake.digest import TableDigest, digest_stream, plain_keys
from ares.lake.files import rows_of, schema_of, write_rows
from ares.lake.sql import Space, in_order


def digest_rows(path: Path, keys: Sequence[str]) -> TableDigest:
    """The fingerprint of a file whose rows lie in the order of time. Raises `LakeRejected`."""
    return digest_stream(rows_of(path), keys, valueless_columns=False)


def digest_part(
    table: ColdTable, part: Mapping[str, str], keys: Sequence[str], version: int | None, space: Space
) -> TableDigest:
    """The fingerprint of a part. Delta Lake writes blocks of rows in any order, so they are sorted anew."""
    return digest_stream(in_order(table, part, keys[0], version, space), keys, valueless_columns=False)


def merged(table: ColdTable, part: Mapping[str, str], keys: Sequence[str], path: Path) -> None:
    """Lay the rows of a file over those of a part: the file becomes both; where keys are equal its own row stays.

    A column that only one of them has is NULL in the rows of the other: tables are given columns, and lose them.
    """
    own = schema_of(path)
    cold = table.schema()
    schema = pa.schema([*own, *(column for column in cold if column.name not in own.names)])
    fresh = _within(pa.Table.from_batches(list(rows_of(path)), own), schema)
    old = _within(pa.Table.from_batches(list(table.read(part)), cold), schema)
    kept = old.take(_without(plain_keys(old, keys), plain_keys(fresh, keys)))
    both = pa.concat_tables([kept, fresh])
    write_rows(path, schema, both.take(pc.sort_indices(both, sort_keys=[("ts", "ascending")])).to_batches())


def _within(table: pa.Table, schema: pa.Schema) -> pa.Table:
    columns = [
        table.column(column.name).cast(column.type)
        if column.name in table.column_names
        else pa.nulls(table.num_rows, column.type)
        for column in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _without(ours: pa.Table, theirs: pa.Table) -> pa.Array:
    """The places of rows whose keys the others do not have."""
    numbered = ours.append_column("place", pa.array(range(ours.num_rows), pa.int64()))
    left = numbered.join(theirs, ours.column_names, join_type="left anti", use_threads=False)
    return left.column("place").combine_chunks()
