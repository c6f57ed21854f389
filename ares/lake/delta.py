"""Tables in Delta Lake, on a disk or in S3: a part is replaced whole, in one commit, and old versions can be read.

Delta Lake's times hold microseconds and ours nanoseconds: what is below a microsecond lies in a column `ts_nanos`
beside `ts`, so that others read `ts` as the time it is, and here both become one again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self, cast

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import (
    CommitFailedError,
    DeltaError,
    DeltaProtocolError,
    SchemaMismatchError,
    TableNotFoundError,
)

from ares.clock import NANOS_PER_MICRO
from ares.config.lake import LakeConfig
from ares.errors import LakeRejected, LakeUnavailable
from ares.lake.files import rows_of, schema_of

NANOS = "_nanos"
MICROS = pa.timestamp("us", "UTC")
WHOLE_LOG = {"delta.logRetentionDuration": "interval 36500 days", "delta.enableExpiredLogCleanup": "false"}
"""By default Delta forgets how old versions were made after 30 days; ours can be read as long as their files lie."""
PROPERTIES = WriterProperties(compression="ZSTD", compression_level=3)
FILE_BYTES = 512 * 1024 * 1024


class Dataset(Protocol):
    """What Arrow and DuckDB scan."""

    schema: pa.Schema

    def filter(self, expression: pc.Expression) -> Dataset:
        """The rows for which it holds; files that cannot have any are not opened."""
        ...


@dataclass(frozen=True, slots=True)
class Written:
    """A commit: its version, and the files and bytes of the part as they lie in it."""

    version: int
    files: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Lake:
    """Where the tables lie, and how that place lets us in."""

    root: str
    options: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, config: LakeConfig, state_dir: Path) -> Self:
        """The one that the settings name."""
        folder = config.folder(state_dir)
        if folder is not None:
            return cls(str(folder), {})
        return cls(str(config.location).rstrip("/"), storage_options(config))

    def table(self, name: str, partition_by: Sequence[str] = ()) -> ColdTable:
        """A table, which need not exist yet; `name` may be a path."""
        return ColdTable(f"{self.root}/{name}", tuple(partition_by), self.options)


def is_remote(location: str) -> bool:
    """Whether it is an address and no folder."""
    return "://" in location


def storage_options(config: LakeConfig) -> dict[str, str]:
    """How S3 lets us in; what is unset comes from the environment, as everywhere with Amazon."""
    options = {
        "AWS_REGION": config.s3_region,
        "AWS_CHECKSUM_ALGORITHM": "sha256",  # a bucket that keeps what it is given (object lock) takes nothing without
        "timeout": f"{config.timeout_s:g}s",
        "conditional_put": "etag",
    }
    if config.s3_endpoint is not None:
        options |= {"AWS_ENDPOINT_URL": config.s3_endpoint, "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false"}
        options |= {"AWS_ALLOW_HTTP": "true"} if config.s3_endpoint.startswith("http://") else {}
    if config.s3_access_key is not None and config.s3_secret_key is not None:
        options["AWS_ACCESS_KEY_ID"] = config.s3_access_key.get_secret_value()
        options["AWS_SECRET_ACCESS_KEY"] = config.s3_secret_key.get_secret_value()
    return options


@dataclass(frozen=True, slots=True)
class ColdTable:
    """One Delta table. Raises `LakeUnavailable` (again later) and `LakeRejected` (it will be the same then)."""

    uri: str
    partition_by: tuple[str, ...]
    options: Mapping[str, str] = field(repr=False)

    def version(self) -> int | None:
        """The newest; None before the first write."""
        with mapped(self.uri):
            table = self._find()
            return None if table is None else table.version()

    def replace(self, part: Mapping[str, str], schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> Written:
        """Make these rows all that the part holds; without a part, all that the table holds.

        A column that is new to the table is added, and NULL in what lies there. One commit: readers see the rows before
        or the rows after. Repeating it changes nothing but the version. What a process leaves that ends before the
        commit is seen by nobody, and removed by `vacuum`.
        """
        target = delta_schema(schema)
        reader = pa.RecordBatchReader.from_batches(target, (to_delta(batch, target) for batch in batches))
        with mapped(self.uri):
            self._create(target)
            write_deltalake(
                self.uri,
                reader,
                mode="overwrite",
                schema_mode="merge",
                partition_by=list(self.partition_by) or None,
                predicate=predicate(part),
                target_file_size=FILE_BYTES,
                writer_properties=PROPERTIES,
                storage_options=dict(self.options),
            )
            return self._written(self._open(), part)

    def replace_from(self, part: Mapping[str, str], path: Path) -> Written:
        """`replace` by the rows of a Parquet file."""
        return self.replace(part, schema_of(path), rows_of(path))

    def dataset(self, version: int | None = None) -> Dataset:
        """For Arrow and DuckDB, as Delta has it: `from_delta` makes our own columns of it."""
        with mapped(self.uri):
            return cast("Dataset", self._open(version).to_pyarrow_dataset())

    def read(self, part: Mapping[str, str], version: int | None = None) -> Iterator[pa.RecordBatch]:
        """The rows of a part (or of all) in our own columns, as they stood at a version. Files in their own order."""
        with mapped(self.uri):
            dataset = self._open(version).to_pyarrow_dataset()
            for batch in dataset.to_batches(filter=expression(part)):
                yield from_delta(batch)

    def schema(self, version: int | None = None) -> pa.Schema:
        """Our own columns."""
        with mapped(self.uri):
            return plain_schema(self._open(version).to_pyarrow_dataset().schema)

    def counts(self) -> dict[tuple[str, ...], int]:
        """Rows of each part (by the columns that part the table) in the newest version, by what its log says."""
        with mapped(self.uri):
            table = self._find()
            return {} if table is None else self._counted(table)

    def compact(self) -> int:
        """Join small files of each part; returns how many files went. Raises `LakeRejected` if rows went with them."""
        with mapped(self.uri):
            table = self._find()
            if table is None:
                return 0
            version, before = table.version(), self._counted(table)
            went = int(table.optimize.compact(writer_properties=PROPERTIES)["numFilesRemoved"])
            if before != self._counted(self._open()):
                raise LakeRejected(f"{self.uri}: joining files changed their rows; version {version} has them all")
            return went

    def vacuum(self, keep_hours: int, pinned: Sequence[int] = ()) -> list[str]:
        """Remove files that neither the newest version needs nor a pinned one, and that are older than that.

        Files that no commit names (of a write that was killed) go too.
        """
        with mapped(self.uri):
            table = self._find()
            if table is None:
                return []
            known = sorted({version for version in pinned if version <= table.version()})
            return table.vacuum(
                keep_hours, dry_run=False, enforce_retention_duration=False, full=True, keep_versions=known or None
            )

    def _find(self) -> DeltaTable | None:
        try:
            return self._open()
        except TableNotFoundError:
            return None

    def _open(self, version: int | None = None) -> DeltaTable:
        return DeltaTable(self.uri, version=version, storage_options=dict(self.options))

    def _create(self, schema: pa.Schema) -> None:
        DeltaTable.create(
            self.uri,
            schema=schema,
            mode="ignore",
            partition_by=list(self.partition_by) or None,
            configuration=dict(WHOLE_LOG),
            storage_options=dict(self.options),
        )

    def _counted(self, table: DeltaTable) -> dict[tuple[str, ...], int]:
        actions = pa.table(table.get_add_actions(flatten=True))
        names = [actions.column(f"partition.{name}").cast(pa.string()).to_pylist() for name in self.partition_by]
        found: Counter[tuple[str, ...]] = Counter()
        for part, rows in zip(zip(*names, strict=True), actions.column("num_records").to_pylist(), strict=True):
            found[part] += rows
        return dict(found)

    def _written(self, table: DeltaTable, part: Mapping[str, str]) -> Written:
        actions = pa.table(table.get_add_actions(flatten=True))
        for name, value in part.items():
            actions = actions.filter(pc.equal(actions.column(f"partition.{name}").cast(pa.string()), value))
        return Written(table.version(), actions.num_rows, int(pc.sum(actions.column("size_bytes")).as_py() or 0))


@contextmanager
def mapped(uri: str) -> Iterator[None]:
    """Errors of the library become ours."""
    try:
        yield
    except CommitFailedError as error:
        raise LakeUnavailable(f"{uri}: somebody else wrote the same part: {error}") from None
    except (TableNotFoundError, DeltaProtocolError, SchemaMismatchError) as error:
        raise LakeRejected(f"{uri}: {error}") from None
    except (DeltaError, OSError) as error:
        raise LakeUnavailable(f"{uri}: {error}") from None
    except pa.ArrowException as error:
        raise LakeRejected(f"{uri}: {error}") from None


def predicate(part: Mapping[str, str]) -> str | None:
    """A part as Delta's own SQL."""
    quoted = {name: value.replace("'", "''") for name, value in part.items()}
    return " AND ".join(f"{name} = '{value}'" for name, value in quoted.items()) or None


def expression(part: Mapping[str, str]) -> pc.Expression | None:
    """A part as Arrow's filter."""
    found: pc.Expression | None = None
    for name, value in part.items():
        each = pc.equal(pc.field(name), value)
        found = each if found is None else found & each
    return found


def delta_schema(schema: pa.Schema) -> pa.Schema:
    """The columns as Delta can hold them."""
    fields = []
    for column in schema:
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        if pa.types.is_timestamp(kind):
            fields.append(pa.field(column.name, MICROS))
            fields += [pa.field(column.name + NANOS, pa.int16())] if kind.unit == "ns" else []
        else:
            fields.append(pa.field(column.name, binary_of(kind)))
    return pa.schema(fields)


def binary_of(kind: pa.DataType) -> pa.DataType:
    """Delta has no bytes of a fixed length."""
    return pa.binary() if pa.types.is_fixed_size_binary(kind) else kind


def to_delta(batch: pa.RecordBatch, target: pa.Schema) -> pa.RecordBatch:
    """Rows in the columns that Delta holds."""
    columns = []
    for column in target:
        name = column.name.removesuffix(NANOS)
        if column.name != name and column.name not in batch.schema.names:
            ns = _ns(batch.column(name))
            columns.append(pc.subtract(ns, pc.multiply(_micros(ns), NANOS_PER_MICRO)).cast(pa.int16()))
        elif column.name + NANOS in target.names:
            columns.append(_micros(_ns(batch.column(name))).cast(pa.timestamp("us")).cast(MICROS))
        else:
            columns.append(batch.column(column.name).cast(column.type))
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _ns(times: pa.Array) -> pa.Array:
    return times.cast(pa.int64())


def _micros(ns: pa.Array) -> pa.Array:
    """Whole microseconds, rounded down before 1970 too."""
    whole = pc.divide(ns, NANOS_PER_MICRO)
    late = pc.greater(pc.multiply(whole, NANOS_PER_MICRO), ns)
    return pc.subtract(whole, late.cast(pa.int64()))


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Our own columns of Delta's."""
    fields = []
    for column in schema:
        if column.name + NANOS in schema.names:
            fields.append(pa.field(column.name, pa.timestamp("ns")))
        elif not (column.name.endswith(NANOS) and column.name.removesuffix(NANOS) in schema.names):
            fields.append(column)
    return pa.schema(fields)


def from_delta(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Rows in our own columns."""
    target = plain_schema(batch.schema)
    columns = []
    for column in target:
        values = batch.column(column.name)
        if column.name + NANOS in batch.schema.names:
            micros = pc.multiply(values.cast(MICROS).cast(pa.int64()), NANOS_PER_MICRO)
            nanos = batch.column(column.name + NANOS).cast(pa.int64())
            values = pc.add(micros, nanos).cast(pa.timestamp("ns"))
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, schema=target)
