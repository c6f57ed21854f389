"""One table from a backup into the QuestDB that runs: what is missing there is written, nothing is removed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.errors import BackupIncomplete, StoreRejected, UnknownName, UsageError
from ares.model.row import Cell, Row, UtcNs
from ares.store import Database, Record, RowWriter, load_queries
from ares.store.pool import Value, as_int, as_str
from backup.columns import CASTS, as_answered

QUERIES = load_queries("backup.restore", "table.sql")
PAGE_ROWS = 50_000
UNITS_NS = {"TIMESTAMP": 1_000, "TIMESTAMP_NS": 1}
NOT_CARRIED = frozenset({"BINARY", "UUID", "LONG256", "INTERVAL"})
Key = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table with the kinds of its columns."""

    name: str
    clock: str
    kinds: dict[str, str]

    @classmethod
    async def of(cls, database: Database, name: str, known: list[str]) -> Table:
        """Raises `UnknownName`, `UsageError` for a column that line protocol cannot carry."""
        if name not in known:
            raise UnknownName("table", name, known)
        columns = await database.fetch(QUERIES["columns"], {"relation": name})
        kinds = {as_str(column["name"]): as_str(column["kind"]) for column in columns}
        for column, kind in kinds.items():
            if kind in NOT_CARRIED or ("[" in kind and kind != "DOUBLE[][]"):
                raise UsageError(f"table = {name!r}: {column} is {kind}, which is not written. Restore all with --to")
        clock = next(as_str(column["name"]) for column in columns if column["designated"])
        return cls(name, clock, kinds)

    async def pages(self, database: Database) -> AsyncIterator[list[Record]]:
        """All rows in order of time, as `row` takes them.

        Raises `BackupIncomplete` if more than a page are of one moment.
        """
        cells = ", ".join(as_answered(name, kind) for name, kind in self.kinds.items())
        statement = QUERIES["page"].replace("{cells}", cells).replace("{relation}", self.name)
        statement = statement.replace("{clock}", self.clock).replace("{kind}", CASTS[self.kinds[self.clock]])
        begin = 0
        while True:
            page = await database.fetch(statement, {"begin": begin, "rows_max": PAGE_ROWS})
            if len(page) < PAGE_ROWS:
                yield page
                return
            last = as_int(page[-1][self.clock])
            whole = [record for record in page if as_int(record[self.clock]) < last]
            if not whole:
                raise BackupIncomplete(f"table {self.name}: more than {PAGE_ROWS} rows at {last}. Restore all of it")
            yield whole
            begin = last

    async def keys_between(self, database: Database, keys: Sequence[str], first: Record, last: Record) -> set[Key]:
        """The keys of the rows of a database from the moment of one row to that of another."""
        cells = ", ".join(as_answered(name, self.kinds[name]) for name in keys)
        statement = QUERIES["keys_between"].replace("{cells}", cells).replace("{relation}", self.name)
        statement = statement.replace("{clock}", self.clock).replace("{kind}", CASTS[self.kinds[self.clock]])
        span = {"begin": as_int(first[self.clock]), "end": as_int(last[self.clock])}
        return {tuple(row[key] for key in keys) for row in await database.fetch(statement, span)}

    def row(self, record: Record) -> Row:
        """A record of a page, to be written."""
        symbols = {name: str(record[name]) for name, kind in self.kinds.items() if kind == "SYMBOL" and record[name]}
        rest = (name for name, kind in self.kinds.items() if kind != "SYMBOL" and name != self.clock)
        columns = {name: self._value(name, record[name]) for name in rest}
        return Row(self.name, as_int(record[self.clock]) * UNITS_NS[self.kinds[self.clock]], symbols, columns)

    def _value(self, name: str, value: object) -> Cell:
        if self.kinds[name] in UNITS_NS and isinstance(value, int):
            return UtcNs(value * UNITS_NS[self.kinds[name]])
        if isinstance(value, list):
            return [[float(str(number)) for number in level] for level in value if isinstance(level, list)]
        assert value is None or isinstance(value, bool | int | float | str | Decimal), f"{self.name}.{name}: {value!r}"
        return value


async def copy_missing(source: Database, running: Database, table: Table, writer: RowWriter) -> int:
    """Write the rows of a table whose keys the running one has not; returns how many. What is there stays as it is.

    Raises `UsageError` for a table that is not there, or whose rows cannot be told apart.
    """
    keys = await _keys(running, table)
    written = 0
    async for page in table.pages(source):
        there = await table.keys_between(running, keys, page[0], page[-1]) if page else set()
        rows = [table.row(record) for record in page if tuple(record[key] for key in keys) not in there]
        await writer.write(rows)
        written += len(rows)
    return written


async def _keys(running: Database, table: Table) -> Sequence[str]:
    """By what the running table tells its rows apart."""
    columns = {as_str(row["name"]): row for row in await _columns(running, table.name)}
    keys = [name for name, column in columns.items() if column["key"]]
    if not columns:
        raise UsageError(
            f"table = {table.name!r}: the QuestDB that runs has none. ares db migrate makes those of Ares; "
            "make your own as it was, or restore all of it elsewhere with --to"
        )
    if not keys:
        raise UsageError(
            f"table = {table.name!r}: it has no keys (DEDUP UPSERT KEYS), so rows that are there would come twice. "
            "Restore all of it elsewhere with --to, and copy what is missing"
        )
    changed = [name for name in keys if table.kinds.get(name) != columns[name]["kind"]]
    if changed:
        raise UsageError(
            f"table = {table.name!r}: column {changed[0]} is of another kind by now. Restore all of it with --to"
        )
    return keys


async def _columns(database: Database, name: str) -> list[Record]:
    try:
        return await database.fetch(QUERIES["columns"], {"relation": name})
    except StoreRejected:
        return []
