"""SQL by DuckDB over rows of QuestDB and of the cold tier as if they were one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset
import pyarrow.parquet

from ares.clock import to_datetime
from ares.errors import LakeRejected, LakeUnavailable, UsageError
from ares.lake.delta import NANOS, ColdTable, Dataset, expression, from_delta
from ares.lake.files import BLOCK_ROWS, rows_of, schema_of, write_rows
from ares.store import load_queries

QUERIES = load_queries("ares.lake", "sql.sql")
Source = Literal["hot", "cold", "both"]


@dataclass(frozen=True, slots=True)
class DaySource:
    """Where the rows of a day of a venue and symbol are read: `both` takes from the cold tier what is not hot."""

    venue: str
    symbol: str
    day: str
    source: Source


@dataclass(frozen=True, slots=True)
class SpannedTable:
    """A table of a query: a file of its hot rows, the cold ones, and which count. The end of the span is excluded."""

    name: str
    hot: Path
    cold: ColdTable
    days: Sequence[DaySource]
    keys: Sequence[str]
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows of a query, no more than were asked for; `cut`: there were more."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    cut: bool


@dataclass(frozen=True, slots=True)
class Space:
    """Memory for a query, and the folder into which it spills beyond that."""

    memory_mb_max: int
    folder: Path

    @contextmanager
    def opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A DuckDB that reaches only what it is handed."""
        prepare = QUERIES["prepare"].replace("this_memory", f"{self.memory_mb_max}MB")
        with refusals(), duckdb.connect() as database:
            database.execute(prepare.replace("this_folder", str(self.folder).replace("'", "''")))
            yield database


def in_order(
    table: ColdTable, part: Mapping[str, str], key: str, version: int | None, space: Space
) -> Iterator[pa.RecordBatch]:
    """The rows of a part in our own columns, sorted by a key. Raises `LakeUnavailable`, `LakeRejected`."""
    dataset = table.dataset(version)
    found = expression(part)
    keys = [key, key + NANOS] if key + NANOS in dataset.schema.names else [key]
    with space.opened() as database:
        database.register("part", dataset if found is None else dataset.filter(found))
        statement = QUERIES["sorted"].replace("these_keys", ", ".join(keys))
        reader: pa.RecordBatchReader = database.sql(statement).to_arrow_reader(BLOCK_ROWS)
        for batch in reader:
            yield from_delta(batch)


class Query:
    """One statement in a DuckDB of its own, in which these tables are all there is.

    Raises `UsageError` for what is no single SELECT, `LakeRejected` where DuckDB refuses it.
    """

    def __init__(self, space: Space) -> None:
        self._space = space

    def tables(self, sql: str) -> set[str]:
        """The names that a statement reads from."""
        with refusals(), duckdb.connect() as asked:
            statements = asked.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise UsageError("SQL: not one SELECT. Only reading is possible here, one statement at a time")
            return {str(name) for name in asked.get_table_names(sql)}

    def fetch(self, sql: str, tables: Sequence[SpannedTable], rows_max: int) -> Answer:
        """The first rows."""
        with self._opened(tables) as database, refusals():
            result = database.execute(sql)
            columns = tuple(str(column[0]) for column in result.description or ())
            rows = [tuple(row) for row in result.fetchmany(rows_max + 1)]
        return Answer(columns, rows[:rows_max], len(rows) > rows_max)

    def write(self, sql: str, tables: Sequence[SpannedTable], path: Path) -> int:
        """All rows into a file, CSV or Parquet by its name, which is there whole or as before; returns how many."""
        draft = path.with_name(f".{path.stem}.unfinished{path.suffix}")
        try:
            with self._opened(tables) as database, refusals():
                reader: pa.RecordBatchReader = database.sql(sql).to_arrow_reader(BLOCK_ROWS)
                is_parquet = path.suffix == ".parquet"
                rows = write_rows(draft, reader.schema, reader) if is_parquet else write_csv(draft, reader)
                draft.replace(path)
            return rows
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _opened(self, tables: Sequence[SpannedTable]) -> Iterator[duckdb.DuckDBPyConnection]:
        with self._space.opened() as database:
            for table in tables:
                add(database, table)
            yield database


def write_csv(path: Path, reader: pa.RecordBatchReader) -> int:
    """Comma-separated, with a header. Returns the rows."""
    rows = 0
    with pyarrow.csv.CSVWriter(path, reader.schema) as writer:
        for batch in reader:
            rows += batch.num_rows
            writer.write_batch(batch)
    return rows


def add(database: duckdb.DuckDBPyConnection, table: SpannedTable) -> None:
    """Let a query read the table by its name."""
    plain = table.hot.with_suffix(".plain.parquet")
    write_rows(plain, schema_of(table.hot), rows_of(table.hot))
    database.register(f"hot_{table.name}", pyarrow.dataset.dataset(plain))
    if not any(day.source != "hot" for day in table.days):
        database.execute(QUERIES["view_of_hot"].replace("this_table", table.name))
        return
    database.register(f"days_{table.name}", days_table(table.days))
    cold = within(table)
    database.register(f"cold_{table.name}", cold)
    database.execute(view(table, cold.schema))


def within(table: SpannedTable) -> Dataset:
    """The cold rows of the span; files of other days, and of those that are read hot, are not opened."""
    days = pc.field("day").isin(sorted({day.day for day in table.days if day.source != "hot"}))
    first, end = (pa.scalar(to_datetime(ns), pa.timestamp("us", "UTC")) for ns in (table.from_ns, table.to_ns))
    cold = table.cold.dataset()
    return cold.filter(days & (pc.field("ts") >= first) & (pc.field("ts") < end))


def days_table(days: Sequence[DaySource]) -> pa.Table:
    """For DuckDB."""
    names = ("venue", "symbol", "day", "source")
    return pa.table({name: pa.array([getattr(day, name) for day in days], pa.string()) for name in names})


def view(table: SpannedTable, cold: pa.Schema) -> str:
    """The statement that makes one table of both."""
    nanos = [name for name in cold.names if name.endswith(NANOS) and name.removesuffix(NANOS) in cold.names]
    times = [name.removesuffix(NANOS) for name in nanos]
    equal = [QUERIES["time_equal" if key in times else "key_equal"].replace("this_column", key) for key in table.keys]
    parts: Mapping[str, str] = {
        "these_excluded": ", ".join(["day", *nanos]),
        "these_restored": ", ".join(QUERIES["restored"].replace("this_column", name) for name in times),
        "these_keys_equal": " AND ".join(equal),
        "this_table": table.name,
    }
    statement = QUERIES["view"]
    for word, text in parts.items():
        statement = statement.replace(word, text)
    return statement


@contextmanager
def refusals() -> Iterator[None]:
    """Errors of DuckDB become ours."""
    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException, OSError) as error:
        raise LakeUnavailable(f"DuckDB: {error}") from None
    except (duckdb.Error, pa.ArrowException) as error:
        raise LakeRejected(f"DuckDB refused: {error}") from None
