"""A Delta table of which every version is whole, stays, and can be had again byte for byte.

A version replaces all rows of the one before; nothing is ever vacuumed, and the log of versions does not expire.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.fs import DeltaStorageHandler

from ares.clock import NANOS_PER_MICRO
from ares.errors import LakeRejected
from ares.lake.delta import PROPERTIES, WHOLE_LOG, is_remote, mapped
from ares.lake.digest import digest_table
from ares.lake.frame import Column, Frame, FrameCell, frame_of

FOR_EVER = {**WHOLE_LOG, "delta.deletedFileRetentionDuration": "interval 36500 days"}
FILE_BYTES = 1 << 30
"""A version is one file as long as it can be."""
HISTORY_MAX = 20
RUN = "ares_run"

_TYPES = {
    "moment": pa.timestamp("us", tz="UTC"),
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
}


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a version, by its path below the table."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Written:
    """A version that is there."""

    delta_version: int
    files: tuple[DataFile, ...]


@dataclass(frozen=True, slots=True)
class VersionedTable:
    """One such table. One writer at a time: two would mix their rows, which `write` finds and refuses.

    All methods raise `LakeUnavailable` and `LakeRejected`, as `ares.lake.delta` does; the latter too where a file is
    not what it was.
    """

    uri: str
    options: Mapping[str, str]

    def write(self, frame: Frame, run: str) -> Written:
        """Make a version of these rows; `run` is a name of its own by which it is found again."""
        assert frame.rows, "a version without rows says nothing"
        with mapped(self.uri):
            if not is_remote(self.uri):
                Path(self.uri).mkdir(parents=True, exist_ok=True)
            write_deltalake(
                self.uri,
                arrow_of(frame),
                mode="overwrite",
                schema_mode="overwrite",
                configuration=FOR_EVER,
                storage_options=dict(self.options),
                target_file_size=FILE_BYTES,
                writer_properties=PROPERTIES,
                commit_properties=CommitProperties(custom_metadata={RUN: run}),
            )
            version = self._version_of(run)
            table = DeltaTable(self.uri, version=version, storage_options=dict(self.options))
            paths = sorted(uri.rpartition("/")[2] for uri in table.file_uris())
        files = tuple(self._described(path) for path in paths)
        written = Written(version, files)
        if digest_of(self.read(files, frame.columns, frame.keys)) != digest_of(frame):
            raise LakeRejected(f"{self.uri}: version {version} does not hold what was written: somebody else writes")
        return written

    def read(self, files: Sequence[DataFile], columns: Sequence[Column], keys: int) -> Frame:
        """The rows of a version."""
        with mapped(self.uri):
            tables = [pq.read_table(io.BytesIO(self.content(file))) for file in files]
            rows = [row for table in tables for row in _rows(table, columns)]
        return frame_of(columns, keys, rows)

    def content(self, file: DataFile) -> bytes:
        """The bytes of a file, which are those that were recorded."""
        data = self._bytes(file.path)
        found = sha256(data).hexdigest()
        if found != file.sha256:
            raise LakeRejected(f"{self.uri}/{file.path}: not as it was recorded: sha256 {found}, not {file.sha256}")
        return data

    def delete(self, files: Sequence[DataFile]) -> None:
        """Give up the bytes of a version; what is gone already is."""
        with mapped(self.uri):
            for file in files:
                if self._files().get_file_info(file.path).type != pyarrow.fs.FileType.NotFound:
                    self._files().delete_file(file.path)

    def _version_of(self, run: str) -> int:
        table = DeltaTable(self.uri, storage_options=dict(self.options))
        for commit in table.history(HISTORY_MAX):
            if commit.get(RUN) == run:
                return int(commit["version"])
        raise LakeRejected(f"{self.uri}: the version of run {run} is not in its log: somebody else writes")

    def _described(self, path: str) -> DataFile:
        data = self._bytes(path)
        return DataFile(path, sha256(data).hexdigest(), len(data))

    def _bytes(self, path: str) -> bytes:
        with mapped(f"{self.uri}/{path}"), self._files().open_input_file(path) as file:
            return cast("bytes", file.read())

    def _files(self) -> pyarrow.fs.PyFileSystem:
        return pyarrow.fs.PyFileSystem(DeltaStorageHandler(self.uri, dict(self.options)))


def digest_of(frame: Frame) -> str:
    """The SHA-256 of what the rows say, in whatever file they are."""
    return digest_table(arrow_of(frame), frame.names[: frame.keys]).sha256


def arrow_of(frame: Frame) -> pa.Table:
    """A frame as Arrow has it."""
    arrays = [
        pa.array(
            [None if cell is None else _micros(cell) for cell in frame.data[column.name]]
            if column.kind == "moment"
            else list(frame.data[column.name]),
            _TYPES[column.kind],
        )
        for column in frame.columns
    ]
    return pa.Table.from_arrays(arrays, names=list(frame.names))


def _micros(cell: FrameCell) -> int:
    assert isinstance(cell, int), "a moment is a number"
    assert cell % NANOS_PER_MICRO == 0, "files keep microseconds: a moment with nanoseconds is an integer"
    return cell // NANOS_PER_MICRO


def _rows(table: pa.Table, columns: Sequence[Column]) -> Iterator[tuple[FrameCell, ...]]:
    cells = []
    for column in columns:
        array = table.column(column.name)
        if column.kind == "moment":
            micros = array.cast(pa.int64()).to_pylist()
            cells.append([None if each is None else each * NANOS_PER_MICRO for each in micros])
        else:
            cells.append(array.to_pylist())
    return zip(*cells, strict=True)
