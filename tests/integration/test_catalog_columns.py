"""Goal: every column of every table and view says what it is and in which unit, in the reference and in SQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.catalog import EVERYWHERE, units_of, words_of, write_catalog, written
from ares.store.migrate import Statement, table_statements, view_statements
from tests.questdb import serving, small

OURS = [*table_statements(), *view_statements()]


@pytest.fixture
async def columns(database: Database) -> set[tuple[str, str]]:
    await database.wait_applied(["catalog_columns"])
    rows = await database.fetch("SELECT table_name, column_name FROM catalog_columns WHERE status = 'there'")
    return {(str(row["table_name"]), str(row["column_name"])) for row in rows}


async def test_every_column_has_its_words(columns: set[tuple[str, str]]) -> None:
    units = units_of(OURS)
    assert len(columns) > 700
    silent = sorted(f"{table}.{column}" for table, column in columns if words_of(table, column, units) is None)
    assert silent == [], "add them to ares/store/schema/columns.csv"
    dumb = sorted(key for key, words in written().items() if not words.unit or not words.meaning)
    assert dumb == []


async def test_no_words_are_of_columns_that_nobody_has(columns: set[tuple[str, str]]) -> None:
    names = {column for _, column in columns}
    assert [key for key in written() if key[0] == EVERYWHERE and key[1] not in names] == []
    assert [key for key in written() if key[0] != EVERYWHERE and key not in columns] == []


def test_the_unit_of_a_feature_is_the_one_its_view_names() -> None:
    units = units_of(OURS)
    assert {units["rsi_14_v1"], units["rsi_14"]} == {"0 to 100"}
    found = words_of("rsi_14_v1", "value", units)
    assert found is not None
    assert found.unit == "0 to 100"
    features = [each.name for each in OURS if each.folder == "features" and each.name.endswith("_v1")]
    assert [name for name in features if name not in units] == []


async def test_migrating_tells_sql_what_columns_are(database: Database) -> None:
    await database.wait_applied(["catalog_columns"])
    row = await database.fetch_one(
        "SELECT unit, kind, type, status, meaning FROM catalog_columns"
        " WHERE table_name = 'rsi_14_v1' AND column_name = 'value'"
    )
    assert row is not None
    assert (row["unit"], row["kind"], row["status"]) == ("0 to 100", "view", "there")


async def test_a_column_that_is_dropped_is_said_to_be_gone_and_nothing_is_written_twice(
    database: Database, writer: RowWriter, questdb_config: DatabaseConfig
) -> None:
    await database.execute("CREATE TABLE catalog_probe (ts TIMESTAMP, venue SYMBOL, price DOUBLE) TIMESTAMP(ts)")
    probe = Statement("catalog_probe", "TABLE", "", "", "")
    ours = [*OURS, probe]
    try:
        assert await write_catalog(database, writer, ours) == 3
        await database.wait_applied(["catalog_columns"])
        assert await write_catalog(database, writer, ours) == 0
        await database.execute("ALTER TABLE catalog_probe DROP COLUMN price")
        assert await write_catalog(database, writer, ours) == 1
        await database.wait_applied(["catalog_columns"])
        rows = await database.fetch(
            "SELECT column_name, status FROM catalog_columns WHERE table_name = 'catalog_probe' ORDER BY place"
        )
        assert [row["status"] for row in rows] == ["there", "there", "gone"]
    finally:
        await database.execute("DROP TABLE catalog_probe")
        await write_catalog(database, writer, OURS)
        await database.wait_applied(["catalog_columns"])


async def test_columns_of_views_are_there_whichever_server_is_asked(tmp_path: Path) -> None:
    config = small()
    with serving(config, tmp_path, schema=True):
        writer = RowWriter(config)
        async with await Database.connect(config) as database:
            assert await write_catalog(database, writer, OURS) == 0
            await database.execute("DROP VIEW rsi_14")
            assert await write_catalog(database, writer, OURS) == 4
            await database.wait_applied(["catalog_columns"])
            gone = await database.fetch("SELECT table_name, column_name FROM catalog_columns WHERE status = 'gone'")
        await writer.close()
    assert sorted(str(row["column_name"]) for row in gone) == ["symbol", "ts", "value", "venue"]
    assert {row["table_name"] for row in gone} == {"rsi_14"}
