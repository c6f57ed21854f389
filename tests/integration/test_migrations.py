"""Goal: the schema moves on while writers write, old and new releases side by side, and nothing is lost on the way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, UsageError
from ares.model.row import Cell, Row
from ares.store import Database, Record, RowWriter
from ares.store.migrate import Statement, deploy_own, migrate, pending_migrations, table_names
from ares.store.migrations import Migration, migrations, parse_migration
from ares.store.plan import plan, waiting_migrations
from ares.store.queries import split_statements
from tests.helpers import ROOT, eventually
from tests.questdb import serving, small

KILLS = int(os.environ.get("ARES_TEST_MIGRATION_KILLS", "2"))
OLDEST = (ROOT / "tests" / "fixtures" / "schema" / "oldest.sql").read_text(encoding="utf-8")
NOTES = "-- What: A thing.\n-- Why: A reason.\n-- Rollback: None needed.\n"
DAY_NS = 86_400 * NANOS_PER_SECOND
T0 = 20_000 * DAY_NS
COLUMNS = """
SELECT t.table_name AS name, c."column" AS col, c.type, c.designated, c."upsertKey" AS key, t."partitionBy" AS unit,
  t."ttlValue" AS ttl, t."ttlUnit" AS ttl_unit, t."walEnabled" AS wal
FROM tables() t CROSS JOIN table_columns('{}') c WHERE t.table_name = '{}' ORDER BY c."column"
"""


@pytest.fixture(scope="module")
def old_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A QuestDB as the first releases left it: every table in its oldest form, with a row, no migration run."""
    config = small()
    with serving(config, tmp_path_factory.mktemp("old")):
        asyncio.run(_make_old(config))
        yield config


async def _make_old(config: DatabaseConfig) -> None:
    async with await Database.connect(config) as database:
        for sql in split_statements(OLDEST):
            await database.execute(sql)


@pytest.fixture
async def old(old_config: DatabaseConfig) -> AsyncIterator[Database]:
    async with await Database.connect(old_config) as pool:
        yield pool


@pytest.fixture
async def old_writer(old_config: DatabaseConfig) -> AsyncIterator[RowWriter]:
    rows = RowWriter(old_config)
    yield rows
    await rows.close()


def made(name: str, *statements: str) -> Migration:
    return parse_migration(name, NOTES + ";\n".join(statements))


async def no_gate() -> None:
    """Nothing older runs."""


async def described(database: Database, name: str) -> list[Record]:
    return await database.fetch(COLUMNS.format(name, name))


async def test_oldest_schema_with_all_migrations_is_the_schema_of_now(
    old: Database, old_writer: RowWriter, database: Database
) -> None:
    planned = {(each.what, each.name): each for each in await plan(old)}
    assert {name for what, name in planned if what == "migration"} == {each.name for each in migrations()}
    trace_ids = planned["migration", "0003_pre_trace_ids.sql"]
    assert (trace_ids.statement, trace_ids.online.startswith("yes: at once")) == (
        "ALTER TABLE fills ADD COLUMN IF NOT EXISTS trace_id VARCHAR",
        True,
    )
    assert "fills" in trace_ids.touches
    assert ("view", "bars_1m") in planned
    waiting = await waiting_migrations(old)
    assert {row["state"] for row in waiting} == {"pending pre"}
    ran = await migrate(old, old_writer, SystemClock(), post_gate=no_gate)
    assert ran.migrations == tuple(each.name for each in migrations())
    assert not ran.waiting
    names = {name for name in await table_names(database) if not name.startswith(("sys.", "telemetry"))}
    assert len(names) > 40
    for name in sorted(names):
        assert await described(old, name) == await described(database, name), name
    views = "SELECT view_name, view_status FROM views() ORDER BY view_name"
    assert await old.fetch(views) == await database.fetch(views)
    again = await migrate(old, old_writer, SystemClock(), post_gate=no_gate)
    assert (again.migrations, again.views) == ((), ())
    assert await plan(old) == []


async def test_new_database_is_made_as_it_is_now_and_has_nothing_to_migrate(database: Database) -> None:
    assert await pending_migrations(database) == []
    assert await plan(database) == []


@dataclass
class Stream:
    """A release that writes for ever, some thousand rows a second, with a real writer; what it failed of is kept."""

    config: DatabaseConfig
    table: str
    source: str
    cells: Callable[[int], dict[str, Cell]]
    rows: int = 0
    failures: list[Exception] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        writer = RowWriter(self.config)
        try:
            while not self._stop.wait(0.01):
                batch = [
                    Row(self.table, T0 + n * 20 * NANOS_PER_SECOND, {"source": self.source}, {"n": n, **self.cells(n)})
                    for n in range(self.rows, self.rows + 50)
                ]
                writer.write_sync(batch)
                self.rows += len(batch)
        except Exception as error:  # whatever it is, it is what the test asks about
            self.failures.append(error)
        finally:
            writer.close_sync()

    @contextmanager
    def writing(self) -> Iterator[Stream]:
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()


async def make_table(database: Database, name: str) -> None:
    await database.execute(f"DROP TABLE IF EXISTS {name}")
    await database.execute(
        f"CREATE TABLE {name} (ts TIMESTAMP_NS, source SYMBOL, n LONG, size INT, rate FLOAT, fee DECIMAL(18,4), "
        "note VARCHAR) TIMESTAMP(ts) PARTITION BY DAY WAL DEDUP UPSERT KEYS(ts, source)"
    )


def old_cells(n: int) -> dict[str, Cell]:
    return {"size": n % 1_000, "rate": n / 8, "note": "old"}


def new_cells(n: int) -> dict[str, Cell]:
    return {"size": n % 1_000, "rate": n / 8, "venue_note": "new", "depth": n}


async def counted(database: Database, table: str) -> dict[str, int]:
    await database.wait_applied([table], 60.0)
    rows = await database.fetch(
        f"SELECT source, count() AS rows, sum(CASE WHEN size = n % 1000 AND rate = n / 8.0 THEN 0 ELSE 1 END) AS wrong "
        f"FROM {table} ORDER BY source"
    )
    assert all(row["wrong"] == 0 for row in rows), rows
    return {str(row["source"]): int(str(row["rows"])) for row in rows}


async def test_columns_are_added_and_widened_under_two_releases_that_write_side_by_side(
    old: Database, old_writer: RowWriter, old_config: DatabaseConfig
) -> None:
    await make_table(old, "wide")
    pre = made(
        "9001_pre_wide.sql",
        "ALTER TABLE wide ADD COLUMN IF NOT EXISTS venue_note VARCHAR",
        "ALTER TABLE wide ADD COLUMN IF NOT EXISTS depth INT",
    )
    post = made(
        "9002_post_wide.sql",
        "ALTER TABLE wide ALTER COLUMN size TYPE LONG",
        "ALTER TABLE wide ALTER COLUMN rate TYPE DOUBLE",
        "ALTER TABLE wide ALTER COLUMN fee TYPE DECIMAL(28,10)",
        "ALTER TABLE wide ALTER COLUMN depth TYPE LONG",
        "ALTER TABLE wide DROP COLUMN note",
    )
    before = Stream(old_config, "wide", "old", old_cells)
    with before.writing():
        await eventually(lambda: before.rows > 2_000)
        await migrate(old, old_writer, SystemClock(), known=[*migrations(), pre, post])
        after = Stream(old_config, "wide", "new", new_cells)
        with after.writing():
            await eventually(lambda: after.rows > 2_000)
            assert not before.failures
            before._stop.set()
            done = await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=[*migrations(), pre, post])
            assert done.migrations == ("9002_post_wide.sql",)
            reached = after.rows
            await eventually(lambda: after.rows > reached + 2_000 or after.failures)
    assert (before.failures, after.failures) == ([], [])
    assert await counted(old, "wide") == {"old": before.rows, "new": after.rows}
    types = await old.fetch("SELECT \"column\" AS name, type FROM table_columns('wide')")
    assert {"size": "LONG", "rate": "DOUBLE", "fee": "DECIMAL(28,10)", "depth": "LONG"}.items() <= {
        str(row["name"]): row["type"] for row in types
    }.items()


TALL = (
    "CREATE TABLE IF NOT EXISTS {new} (ts TIMESTAMP_NS, source SYMBOL, n LONG, size LONG, rate DOUBLE, note VARCHAR) "
    "TIMESTAMP(ts) PARTITION BY HOUR WAL DEDUP UPSERT KEYS(ts, source, n)"
)
COPIED = """-- For each partition of: {old}
INSERT INTO {new} SELECT ts, source, n, size, rate, note FROM {old} WHERE ts IN '{{partition}}'"""
EQUAL = """-- For each partition of: {old}
SELECT o.n FROM (SELECT count() AS n FROM {old} WHERE ts IN '{{partition}}') o
CROSS JOIN (SELECT count() AS n FROM {new} WHERE ts IN '{{partition}}' AND source = 'old') c WHERE o.n <> c.n"""
REBUILD = (
    ("9003_pre_rebuild.sql", TALL, COPIED),
    ("9004_post_rebuild.sql", COPIED, EQUAL, "DROP TABLE IF EXISTS {old}"),
)


def rebuilding(old: str, new: str) -> list[Migration]:
    return [made(name, *(each.format(old=old, new=new) for each in parts)) for name, *parts in REBUILD]


async def test_table_with_other_partitions_and_keys_takes_over_while_both_are_written(
    old: Database, old_writer: RowWriter, old_config: DatabaseConfig
) -> None:
    await make_table(old, "flat")
    await old.execute("DROP TABLE IF EXISTS tall")
    known = [*migrations(), *rebuilding("flat", "tall")]
    before = Stream(old_config, "flat", "old", old_cells)
    with before.writing():
        await eventually(lambda: before.rows > 6_000)
        await migrate(old, old_writer, SystemClock(), known=known)
        after = Stream(old_config, "tall", "new", lambda n: {"size": n % 1_000, "rate": n / 8})
        with after.writing():
            await eventually(lambda: after.rows > 2_000)
            before._stop.set()
            await asyncio.sleep(0.1)
            await old.wait_applied(["flat", "tall"])
            await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=known)
            reached = after.rows
            await eventually(lambda: after.rows > reached + 1_000)
    assert (before.failures, after.failures) == ([], [])
    assert await counted(old, "tall") == {"old": before.rows, "new": after.rows}
    assert "flat" not in await table_names(old)
    await forget(old, "9004_post_rebuild.sql")  # as if it was killed between its drop and its record
    done = await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=known)
    assert done.migrations == ("9004_post_rebuild.sql",)
    assert await counted(old, "tall") == {"old": before.rows, "new": after.rows}


async def test_renaming_a_table_would_refuse_a_batch_which_is_why_no_migration_may(
    old: Database, old_writer: RowWriter
) -> None:
    await make_table(old, "named")
    await old.execute("RENAME TABLE named TO renamed")
    with pytest.raises(StoreRejected, match="named"):
        await old_writer.write([Row("named", T0, {"source": "old"}, {"n": 1})])
    await old.execute("DROP TABLE renamed")


MIGRATOR = """
import asyncio, sys
from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.store import Database, RowWriter
from ares.store.migrate import migrate
from tests.integration.test_migrations import migrations, no_gate, rebuilding

async def main():
    config = DatabaseConfig(http_port=int(sys.argv[1]), pg_port=int(sys.argv[2]))
    async with await Database.connect(config) as database:
        say = lambda line: (sys.stdout.write(line + chr(10)), sys.stdout.flush())
        known = [*migrations(), *rebuilding(sys.argv[3], sys.argv[3] + "_new")]
        await migrate(database, RowWriter(config), SystemClock(), post_gate=no_gate, known=known, report=say)
asyncio.run(main())
"""


@pytest.mark.parametrize("kill", range(KILLS))
async def test_migration_that_was_killed_in_the_middle_is_run_again_and_complete(
    kill: int, old: Database, old_writer: RowWriter, old_config: DatabaseConfig
) -> None:
    """Killed after a different number of partitions each time; make migration-proof takes more kills."""
    name = f"killed_{kill}"
    await make_table(old, name)
    await old_writer.write(
        [Row(name, T0 + n * 60 * NANOS_PER_SECOND, {"source": "old"}, {"n": n, **old_cells(n)}) for n in range(20_000)]
    )
    await old.execute(f"DROP TABLE IF EXISTS {name}_new")
    for row in REBUILD:
        await forget(old, row[0])
    await asyncio.to_thread(migrate_and_die, old_config, name, 1 + 7 * kill % 40)
    known = [*migrations(), *rebuilding(name, f"{name}_new")]
    await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=known)
    assert await counted(old, f"{name}_new") == {"old": 20_000}
    assert name not in await table_names(old)
    await old.execute(f"DROP TABLE {name}_new")  # or the server runs out of memory maps


def migrate_and_die(config: DatabaseConfig, table: str, lines: int) -> None:
    """Rebuild a table in a process that is killed once it has said so much."""
    words = [str(config.http_port), str(config.pg_port), table]
    child = subprocess.Popen([sys.executable, "-c", MIGRATOR, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    said = [child.stdout.readline() for _ in range(lines)]
    child.kill()
    child.wait()
    child.stdout.close()
    assert said[0]


async def forget(database: Database, name: str) -> None:
    """As if this migration never ran."""
    await database.wait_applied(["schema_migrations"])
    await database.execute("UPDATE schema_migrations SET name = 'forgotten' WHERE name = %(name)s", {"name": name})
    await database.wait_applied(["schema_migrations"])


async def test_check_that_fails_stops_before_anything_is_taken_away(old: Database, old_writer: RowWriter) -> None:
    await make_table(old, "kept")
    post = made(
        "9005_post_kept.sql", "SELECT 'rows are missing' AS problem FROM long_sequence(1)", "DROP TABLE IF EXISTS kept"
    )
    with pytest.raises(StoreRejected, match=r"a check failed: .*rows are missing"):
        await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=[*migrations(), post])
    assert "kept" in await table_names(old)
    assert [each.name for each in await pending_migrations(old, [post])] == ["9005_post_kept.sql"]


async def test_step_that_would_make_a_materialized_view_invalid_is_refused_before_anything_runs(
    old: Database, old_writer: RowWriter
) -> None:
    await make_table(old, "viewed")
    await old.execute("DROP MATERIALIZED VIEW IF EXISTS viewed_1h")
    await old.execute(
        "CREATE MATERIALIZED VIEW viewed_1h AS (SELECT ts, source, sum(rate) AS s FROM viewed SAMPLE BY 1h) "
        "PARTITION BY DAY"
    )
    dropping = ("ALTER TABLE viewed ADD COLUMN IF NOT EXISTS more LONG", "ALTER TABLE viewed DROP COLUMN note")
    both = [made("9006_pre_viewed.sql", dropping[0]), made("9007_post_viewed.sql", dropping[1])]
    with pytest.raises(UsageError, match="makes the materialized views viewed_1h invalid"):
        await migrate(old, old_writer, SystemClock(), known=[*migrations(), *both])
    assert "more" not in {row["col"] for row in await described(old, "viewed")}
    both[1] = made("9007_post_viewed.sql", "DROP MATERIALIZED VIEW IF EXISTS viewed_1h", dropping[1])
    await migrate(old, old_writer, SystemClock(), post_gate=no_gate, known=[*migrations(), *both])
    assert {"more", "note"} & {row["col"] for row in await described(old, "viewed")} == {"more"}


async def test_views_above_one_that_reads_another_table_are_made_anew(old: Database, old_writer: RowWriter) -> None:
    def own(name: str, select: str) -> Statement:
        return Statement(name, "VIEW", f"CREATE OR REPLACE VIEW {name} AS ({select})", "", f"{name}.sql")

    await make_table(old, "first_source")
    await make_table(old, "second_source")
    beneath = own("beneath", "SELECT ts, source FROM first_source")
    above = [own("amid", "SELECT ts, source FROM beneath"), own("on_top", "SELECT ts, source FROM amid")]
    await deploy_own(old, old_writer, [beneath, *above], SystemClock())
    other = own("beneath", "SELECT ts, source FROM first_source UNION ALL SELECT ts, source FROM second_source")
    await deploy_own(old, old_writer, [other, *above], SystemClock())
    assert await old.fetch("SELECT ts, source FROM on_top") == []
