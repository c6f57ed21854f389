"""Goal: every view does what its example says: rows in, rows out, on a real QuestDB.

An example is a folder `tests/views/<view>/<case>/`: `in.<table>.csv` are the rows that exist, `expect.csv` the rows
that the view must have, as far as its columns are named there. `{venue}` stands for a name of the example's own (in
columns venue and account), `{day}` for yesterday's date: tables with a TTL take no older rows. An empty cell is NULL.
A view with bounds is asked from the first to the last expected ts, unless `declare.sql` says otherwise.
"""

from __future__ import annotations

import asyncio
import csv
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ares.clock import SystemClock, to_datetime, to_ns
from ares.model.row import Cell, Row, UtcNs
from ares.store import Database, Record, RowWriter
from ares.store.pool import as_str

EXAMPLES = Path(__file__).parent
CASES = sorted(path.parent for path in EXAMPLES.glob("*/*/expect.csv"))
OWN = ("venue", "account")
SETTLE_S_MAX = 20.0


@pytest.mark.parametrize("case", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
async def test_view_turns_these_rows_into_those(case: Path, database: Database, writer: RowWriter) -> None:
    words = {"{venue}": f"example_{uuid.uuid4().hex[:12]}", "{day}": yesterday()}
    await fill(tables_of(case), words, database, writer)
    expected = read_csv(case / "expect.csv", words)
    assert expected, "an example without expected rows shows nothing"
    found = [row for row in await database.fetch(question(case, expected, words)) if is_own(row, words["{venue}"])]
    columns = list(expected[0])
    left = sorted(([text_of(row[name]) for name in columns] for row in found), key=order_of)
    right = sorted(([expected_text(row[name]) for name in columns] for row in expected), key=order_of)
    assert [len(left), *left] == [len(right), *(like(row) for row in right)]


def yesterday() -> str:
    return f"{to_datetime(SystemClock().now_ns()) - timedelta(days=1):%Y-%m-%d}"


def tables_of(case: Path) -> dict[str, Path]:
    return {file.name.split(".")[1]: file for file in sorted(case.glob("in.*.csv"))}


async def fill(tables: Mapping[str, Path], words: Mapping[str, str], database: Database, writer: RowWriter) -> None:
    """Write the example's rows and wait until every view has seen them."""
    for table, file in tables.items():
        columns = await database.fetch(f"SELECT \"column\", type FROM table_columns('{table}')")
        types = {as_str(row["column"]): as_str(row["type"]) for row in columns}
        assert types, f"no table {table}"
        await writer.write([row_of(table, types, cells) for cells in read_csv(file, words)])
    await settled(database)


async def settled(database: Database) -> None:
    """Return once all that was written is applied, through the cascade of materialized views."""
    async with asyncio.timeout(SETTLE_S_MAX):
        calm = 0
        while calm < 2:
            behind = await database.fetch(
                "SELECT count() AS n FROM wal_tables() WHERE writerTxn < sequencerTxn"
                " UNION ALL SELECT count() FROM materialized_views()"
                " WHERE refresh_base_table_txn < base_table_txn"
                " OR (view_status = 'refreshing' AND refresh_period_hi IS NOT NULL)"
            )
            calm = calm + 1 if not any(row["n"] for row in behind) else 0
            await asyncio.sleep(0.02)


def read_csv(file: Path, words: Mapping[str, str]) -> list[dict[str, str]]:
    text = file.read_text(encoding="utf-8")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return list(csv.DictReader(text.splitlines()))


def row_of(table: str, types: Mapping[str, str], cells: Mapping[str, str]) -> Row:
    """A row from the texts of its cells and the types of the table's columns."""
    symbols = {name: text for name, text in cells.items() if types[name] == "SYMBOL" and text}
    columns = {
        name: CELLS[types[name].partition("(")[0]](text)
        for name, text in cells.items()
        if types[name] != "SYMBOL" and name != "ts" and text
    }
    return Row(table, nanos(cells["ts"]), symbols, columns)


CELLS: Mapping[str, Callable[[str], Cell]] = {
    "LONG": int,
    "DOUBLE": float,
    "DECIMAL": Decimal,
    "BOOLEAN": "true".__eq__,
    "TIMESTAMP_NS": lambda text: UtcNs(nanos(text)),
    "DOUBLE[][]": json.loads,
    "VARCHAR": str,
}


def nanos(text: str) -> int:
    """An ISO moment with up to nine digits of its second."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return to_ns(datetime.fromisoformat(whole).replace(tzinfo=UTC)) + int(fraction.ljust(9, "0") or 0)


def question(case: Path, expected: Sequence[Mapping[str, str]], words: Mapping[str, str]) -> str:
    declared = case / "declare.sql"
    if declared.is_file():
        bounds = declared.read_text(encoding="utf-8").strip()
        for word, meaning in words.items():
            bounds = bounds.replace(word, meaning)
    else:
        moments = sorted(row["ts"] for row in expected) if "ts" in expected[0] else []
        bounds = f"@from := '{moments[0]}', @to := '{moments[-1]}'" if moments else ""
    return f"{'DECLARE ' if bounds else ''}{bounds} SELECT * FROM {case.parent.name}"


def is_own(row: Record, own: str) -> bool:
    return own in {row.get(name) for name in OWN}


def text_of(value: object) -> object:
    """A cell as it is compared: numbers as numbers, moments in microseconds, everything else as text."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case int() | float() | Decimal():
            return float(value)
        case datetime():
            return value.isoformat(timespec="microseconds")
        case _:
            return str(value)


def expected_text(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return to_datetime(nanos(text)).replace(tzinfo=None).isoformat(timespec="microseconds")
    except ValueError:
        return text


def order_of(row: Sequence[object]) -> list[str]:
    """By what is not a number first, since those are exact."""
    texts = [str(value) for value in row if not isinstance(value, float)]
    return [*texts, *(f"{value:.6g}" for value in row if isinstance(value, float))]


def like(row: Sequence[object]) -> list[object]:
    return [pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value for value in row]
