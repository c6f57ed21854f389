"""Parquet files on this machine, a block of rows at a time: memory stays bounded whatever their size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from ares.errors import LakeRejected

BLOCK_ROWS = 65_536


def schema_of(path: Path) -> pa.Schema:
    """The columns of a file, as Ares has them. Raises `LakeRejected` for what is no whole Parquet file."""
    return _opened(path)[1]


def rows_of(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file in the order in which they lie there. Raises `LakeRejected`."""
    file, schema = _opened(path)
    with file:
        for batch in file.iter_batches(BLOCK_ROWS):
            yield pa.RecordBatch.from_arrays(
                [batch.column(column.name).cast(column.type) for column in schema], schema=schema
            )


def write_rows(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> int:
    """Write a file anew; the same rows make the same bytes, however they were cut into batches. Returns the rows."""
    held: list[pa.RecordBatch] = []
    rows = 0
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            held.append(batch)
            rows += batch.num_rows
            held = _write_blocks(writer, held, BLOCK_ROWS)
        _write_blocks(writer, held, 1)
    return rows


def _write_blocks(
    writer: pyarrow.parquet.ParquetWriter, held: list[pa.RecordBatch], least: int
) -> list[pa.RecordBatch]:
    """Whole blocks go to the file; what is left for later."""
    if sum(batch.num_rows for batch in held) < least:
        return held
    table = pa.Table.from_batches(held).combine_chunks()
    whole = table.num_rows if least == 1 else table.num_rows - table.num_rows % BLOCK_ROWS
    writer.write_table(table.slice(0, whole), row_group_size=BLOCK_ROWS)
    left: list[pa.RecordBatch] = table.slice(whole).to_batches()
    return left


def _opened(path: Path) -> tuple[pyarrow.parquet.ParquetFile, pa.Schema]:
    try:
        file = pa.parquet.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise LakeRejected(f"{path.name}: no whole Parquet file: {error}") from None
    return file, pa.schema([pa.field(column.name, plain(column.type)) for column in file.schema_arrow])


def plain(kind: pa.DataType) -> pa.DataType:
    """Times without the name of a zone: all of ours are UTC."""
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind
