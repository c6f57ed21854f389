"""Opens a file that others wrote, whatever it is packed in, and hands it out block by block: memory stays bounded."""

from __future__ import annotations

import csv
import gzip
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, cast

import pyarrow as pa
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet

from ares.errors import UsageError
from ingest.imports.columns import Block
from ingest.imports.layouts import Shape

ROWS_MAX = 100_000
CSV_BLOCK_BYTES = 4 * 1024 * 1024
FIRST_LINE_BYTES_MAX = 65_536
RAGGED_MAX = 10_000
LINE_MAX = 4_000
PARQUET, ARROW, ZIP, GZIP = b"PAR1", b"ARROW1", b"PK\x03\x04", b"\x1f\x8b"
UNREADABLE = (OSError, EOFError, pa.ArrowInvalid, zipfile.BadZipFile, UnicodeDecodeError)


@dataclass(slots=True)
class SourceFile:
    """A file to read; `share` is how much of it was read, from 0 to 1.

    `ragged` are the lines with too few or many cells, `ragged_count` of them, of which the first are kept.

    Raises `UsageError` for a file that is not there, cannot be read or is none of CSV (plain, .gz, .zip), Parquet and
    feather.
    """

    path: Path
    share: float = 0.0
    ragged: list[str] = field(default_factory=list)
    ragged_count: int = 0

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise UsageError(f"FILE = {str(self.path)!r}: no such file. Check the name; a folder is not read")
        if self.path.stat().st_size == 0:
            raise UsageError(f"FILE = {str(self.path)!r}: empty. Fetch it again")

    @property
    def name(self) -> str:
        """The file's."""
        return self.path.name

    @property
    def label(self) -> str:
        """For messages."""
        return f"FILE = {str(self.path)!r}"

    def shape(self) -> Shape:
        """The file's columns."""
        try:
            with ExitStack() as opened:
                schema = self._schema(opened)
                if schema is not None:
                    return Shape(tuple(schema.names), len(schema.names))
                line = self._text(opened).readline(FIRST_LINE_BYTES_MAX).decode()
        except UNREADABLE as error:
            raise self._unreadable(error) from None
        cells = tuple(next(csv.reader([line.strip()]), []))
        return Shape((), len(cells)) if _is_number(cells[0] if cells else "") else Shape(cells, len(cells))

    def blocks(self, names: Sequence[str], needed: Sequence[str]) -> Iterator[Block]:
        """The needed columns in order; `names` are those of all columns."""
        first_row = 1
        try:
            with ExitStack() as opened:
                schema = self._schema(opened)
                meta = {} if schema is None else text_of(schema.metadata or {})
                batches = self._tables(opened, needed) if schema is not None else self._lines(opened, names, needed)
                for batch in batches:
                    for start in range(0, batch.num_rows, ROWS_MAX):
                        part = batch.slice(start, ROWS_MAX)
                        yield Block(first_row, {name: part.column(name) for name in needed}, meta)
                        first_row += part.num_rows
        except UNREADABLE as error:
            raise self._unreadable(error) from None
        self.share = 1.0

    def _magic(self) -> bytes:
        with self.path.open("rb") as raw:
            return raw.read(8)

    def _schema(self, opened: ExitStack) -> pa.Schema | None:
        """What a file of a typed format says of its columns; None of text."""
        magic = self._magic()
        if magic.startswith(PARQUET):
            return opened.enter_context(pa.parquet.ParquetFile(self.path)).schema_arrow
        if magic.startswith(ARROW):
            return pa.ipc.open_file(opened.enter_context(pa.memory_map(str(self.path)))).schema
        return None

    def _tables(self, opened: ExitStack, needed: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self._magic().startswith(PARQUET):
            file = opened.enter_context(pa.parquet.ParquetFile(self.path))
            rows_read = 0
            for batch in file.iter_batches(ROWS_MAX, columns=list(needed)):
                rows_read += batch.num_rows
                self.share = rows_read / max(1, file.metadata.num_rows)
                yield batch
            return
        reader = pa.ipc.open_file(opened.enter_context(pa.memory_map(str(self.path))))
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
            self.share = (number + 1) / reader.num_record_batches

    def _lines(self, opened: ExitStack, names: Sequence[str], needed: Sequence[str]) -> Iterator[pa.RecordBatch]:
        raw = opened.enter_context(self.path.open("rb"))
        text = self._text(opened, raw)
        reader = pa.csv.open_csv(
            text,
            pa.csv.ReadOptions(
                use_threads=False,
                block_size=CSV_BLOCK_BYTES,
                column_names=list(names),
                skip_rows=0 if self.shape().names == () else 1,
            ),
            pa.csv.ParseOptions(invalid_row_handler=self._note_ragged),
            pa.csv.ConvertOptions(column_types=dict.fromkeys(needed, pa.string()), include_columns=list(needed)),
        )
        opened.enter_context(closing(reader))
        size = self.path.stat().st_size
        for batch in reader:
            self.share = min(1.0, raw.tell() / size)
            yield batch

    def _note_ragged(self, row: pa.csv.InvalidRow) -> str:
        self.ragged_count += 1
        if len(self.ragged) < RAGGED_MAX:
            self.ragged.append(f"{row.actual_columns} cells instead of {row.expected_columns}: {row.text}"[:LINE_MAX])
        return "skip"

    def _text(self, opened: ExitStack, raw: IO[bytes] | None = None) -> IO[bytes]:
        """The lines of the file, unpacked."""
        raw = raw or opened.enter_context(self.path.open("rb"))
        magic = self._magic()
        if magic.startswith(GZIP):
            return cast("IO[bytes]", opened.enter_context(gzip.GzipFile(fileobj=raw)))
        if not magic.startswith(ZIP):
            return raw
        packed = opened.enter_context(zipfile.ZipFile(raw))
        members = [name for name in packed.namelist() if name.endswith(".csv")]
        if len(members) != 1:
            raise UsageError(f"FILE = {str(self.path)!r}: holds {len(members)} CSV files. Unpack it and name them")
        return opened.enter_context(packed.open(members[0]))

    def _unreadable(self, error: Exception) -> UsageError:
        known = "CSV (plain, .gz, .zip), Parquet and feather are read"
        return UsageError(f"FILE = {str(self.path)!r}: cannot be read: {' '.join(str(error).split())[:300]}. {known}")


def text_of(meta: Mapping[bytes, bytes]) -> dict[str, str]:
    """What a file says of itself, as text."""
    return {name.decode("utf-8", "replace"): value.decode("utf-8", "replace") for name, value in meta.items()}


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
