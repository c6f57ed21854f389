"""The first and last rows of a file beside the same rows as somebody else tells them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from ares.lake.digest import digest_table
from ares.lake.files import rows_of, schema_of

Told = Sequence[Mapping[str, object]]
"""Rows by the names of their columns, of which a file may have more; times are numbers in the file's own unit."""


def agree(path: Path, first: Told, last: Told, keys: Sequence[str]) -> bool:
    """Whether a file begins and ends with these rows, all of their columns. Raises `LakeRejected`."""
    schema = schema_of(path)
    begin, end = _ends(path, schema, len(first), len(last))
    return all(
        digest_table(_as_table(told, schema), keys) == digest_table(rows.select(list(told[0])), keys)
        for told, rows in ((first, begin), (last, end))
        if told
    )


def _ends(path: Path, schema: pa.Schema, first_rows: int, last_rows: int) -> tuple[pa.Table, pa.Table]:
    first = last = schema.empty_table()
    for batch in rows_of(path):
        fresh = pa.Table.from_batches([batch])
        if first.num_rows < first_rows:
            first = pa.concat_tables([first, fresh]).slice(0, first_rows)
        last = pa.concat_tables([last, fresh])
        last = last.slice(max(0, last.num_rows - last_rows))
    return first.combine_chunks(), last.combine_chunks()


def _as_table(told: Told, schema: pa.Schema) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in told], _plain(schema.field(name).type)) for name in told[0]})


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind
