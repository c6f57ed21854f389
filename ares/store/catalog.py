"""What every column is and in which unit: the words of `schema/columns.csv`, as a table that SQL can ask."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from ares.model.row import Row
from ares.store.pool import Database, Record, as_int, as_str
from ares.store.queries import load_queries
from ares.store.writer import RowWriter

if TYPE_CHECKING:
    from ares.store.migrate import Statement

QUERIES = load_queries("ares.store", "catalog.sql")
EVERYWHERE = "*"
WRITTEN_AT_NS = 946_684_800_000_000_000
"""2000-01-01: the time of every row, so that DEDUP keeps one of each column."""

_UNIT = re.compile(r"\bUnit: (?P<unit>.+?)\.(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Words:
    """A column's unit and what its values are."""

    unit: str
    meaning: str


@lru_cache
def written() -> Mapping[tuple[str, str], Words]:
    """The file, by table (`*`: wherever no table says otherwise) and column."""
    text = resources.files("ares.store").joinpath("schema/columns.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    return {(row["table"], row["column"]): Words(row["unit"], row["meaning"]) for row in rows}


def words_of(table: str, column: str, units: Mapping[str, str]) -> Words | None:
    """The words of one column; None if there are none. `units` are of features, by the name of their view."""
    words = written()
    found = words.get((table, column)) or words.get((EVERYWHERE, column))
    if found is not None and column == "value" and table in units:
        return Words(units[table], found.meaning)
    return found


def units_of(views: Iterable[Statement]) -> dict[str, str]:
    """The unit that a view's comment names, of features and signals and of the aliases that read them."""
    found: dict[str, str] = {}
    for view in views:
        named = _UNIT.search(view.comment)
        if named is not None:
            found[view.name] = named["unit"]
            alias = re.sub(r"_v\d+$", "", view.name)
            found[alias] = named["unit"]
    return found


async def write_catalog(database: Database, writer: RowWriter, ours: Iterable[Statement]) -> int:
    """Write the words of columns of our tables and views that are new, other than they were, or gone; how many.

    A view that is there and of which no column is listed is as it was: no server but the one that made it lists them.
    """
    statements = list(ours)
    units, names = units_of(statements), {each.name for each in statements}
    columns = [row for row in await database.fetch(QUERIES["columns"]) if row["table_name"] in names]
    there = {key_of(row): described(row, units) for row in columns}
    listed = {table for table, _ in there}
    unlisted = {as_str(row["table_name"]) for row in await database.fetch(QUERIES["relations"])} & names - listed
    known = {key_of(row): row for row in await database.fetch(QUERIES["known"])}
    changed = [row for key, row in there.items() if known.get(key) != row]
    gone: list[Record] = [
        {**row, "status": "gone"}
        for key, row in known.items()
        if key not in there and key[0] not in unlisted and row["status"] != "gone"
    ]
    await writer.write([catalog_row(row) for row in [*changed, *gone]])
    return len(changed) + len(gone)


def key_of(row: Record) -> tuple[str, str]:
    """Which column a row is about."""
    return as_str(row["table_name"]), as_str(row["column_name"])


def described(row: Record, units: Mapping[str, str]) -> Record:
    """A column as QuestDB tells it, with our words."""
    words = words_of(*key_of(row), units) or Words("", "")
    return {**row, "unit": words.unit or None, "status": "there", "meaning": words.meaning or None}


def catalog_row(row: Record) -> Row:
    """The row of the table `catalog_columns`."""
    symbols = {name: as_str(row[name]) for name in ("table_name", "column_name", "kind", "type", "status")}
    if row["unit"] is not None:
        symbols["unit"] = as_str(row["unit"])
    meaning = row["meaning"]
    values = {"place": as_int(row["place"]), "meaning": None if meaning is None else as_str(meaning)}
    return Row("catalog_columns", WRITTEN_AT_NS, symbols, values)
