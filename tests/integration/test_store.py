"""Goal: what is acknowledged can be read back exactly, and repeating a write changes nothing. On a real QuestDB."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import psycopg
import pytest

from ares.clock import SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.market import Book, Instrument, Trade
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter, pool
from ares.store.export import digest_of_rows
from ares.store.health import storage_health
from ares.store.lines import BLOCK_ROWS
from ares.store.migrate import migrate, ordered, table_statements, view_statements
from ares.store.pool import IdleCheck
from tests.helpers import run_of
from tests.questdb import serving, small

T0 = SystemClock().now_ns() - 60_000_000_000
"""A minute ago: QuestDB drops what is older than a table's TTL as soon as newer rows are there."""


def trade(venue: str, number: int) -> Trade:
    return Trade(
        venue, "BTC/USDT", str(number), number, "buy", 60_000.1 + number, 0.25, T0 + number, T0 + 5, source="stream"
    )


def as_row(trade: Trade) -> Row:
    return Row(trade.table, trade.ts_ns, trade.symbols, trade.columns)


async def test_acknowledged_row_reads_back_to_the_nanosecond(writer: RowWriter, database: Database, venue: str) -> None:
    await writer.write([trade(venue, 1)])
    await database.wait_applied(["trades"])
    row = await database.fetch_one(
        "SELECT ts::long AS ts_ns, received_at::long AS received_at_ns, price, amount, trade_id, seq, side, source "
        "FROM trades WHERE venue = %(venue)s",
        {"venue": venue},
    )
    assert row == {
        "ts_ns": T0 + 1,
        "received_at_ns": T0 + 5,
        "price": 60_001.1,
        "amount": 0.25,
        "trade_id": "1",
        "seq": 1,
        "side": "buy",
        "source": "stream",
    }


async def test_batch_written_twice_leaves_each_row_once(writer: RowWriter, database: Database, venue: str) -> None:
    batch = [trade(venue, number) for number in range(50)]
    await writer.write(batch)
    await writer.write(batch)
    await database.wait_applied(["trades"])
    row = await database.fetch_one("SELECT count() AS n FROM trades WHERE venue = %(venue)s", {"venue": venue})
    assert row == {"n": 50}


async def test_large_batch_goes_in_blocks_and_is_there_whole_or_not_at_all(
    writer: RowWriter, database: Database, venue: str
) -> None:
    counted = "SELECT count() AS n, count_distinct(seq) AS ids FROM trades WHERE venue = %(venue)s"
    trades = [trade(venue, number) for number in range(3 * BLOCK_ROWS + 1)]
    refused = msgspec.structs.replace(trades[-1], seq=2**63)
    with pytest.raises(StoreRejected, match="no line can hold this row"):
        await writer.write([*trades[:-1], as_row(refused)])
    with pytest.raises(StoreRejected, match="refused the batch"):
        await writer.write([*trades[:-1], Row("trades", T0, trades[-1].symbols, {"seq": "none"})])
    assert await database.fetch_one(counted, {"venue": venue}) == {"n": 0, "ids": 0}
    await writer.write(trades)
    await writer.write([run_of(trades)])
    await database.wait_applied(["trades"])
    assert await database.fetch_one(counted, {"venue": venue}) == {"n": len(trades), "ids": len(trades)}


async def test_decimals_and_books_keep_their_values(writer: RowWriter, database: Database, venue: str) -> None:
    instrument = Instrument(
        venue, "BTC/USDT", "BTCUSDT", "BTC", "USDT",
        *(Decimal(text) for text in ("0.01", "0.00001", "5", "0.001", "0.0010000001")),
    )  # fmt: skip
    book = Book(venue, "BTC/USDT", 7, ((10.0, 1.0), (9.5, 2.0)), ((10.5, 3.0), (11.0, 4.0)), T0, T0, "venue")
    await writer.write([instrument.to_row(T0), book])
    await database.wait_applied(["instruments", "books"])
    scope = {"venue": venue}
    stored = await database.fetch_one("SELECT price_tick, taker_fee FROM instruments WHERE venue = %(venue)s", scope)
    assert stored is not None
    assert (stored["price_tick"], stored["taker_fee"]) == (Decimal("0.01"), Decimal("0.0010000001"))
    levels = await database.fetch_one("SELECT bids, asks FROM books WHERE venue = %(venue)s", scope)
    assert levels == {"bids": [[10.0, 9.5], [1.0, 2.0]], "asks": [[10.5, 11.0], [3.0, 4.0]]}


async def test_missing_cell_is_null_not_zero(writer: RowWriter, database: Database, venue: str) -> None:
    row = Row(
        "gaps",
        T0,
        {"venue": venue, "symbol": "A", "channel": "quotes"},
        {"gap_id": "g", "revision": 0, "first_seq": None},
    )
    await writer.write([row])
    await database.wait_applied(["gaps"])
    assert await database.fetch_one(
        "SELECT first_seq, started_at FROM gaps WHERE venue = %(venue)s", {"venue": venue}
    ) == {"first_seq": None, "started_at": None}


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda row: Row("no_such_table", row.ts_ns, row.symbols, row.columns), "no_such_table"),
        (lambda row: Row(row.table, row.ts_ns, row.symbols, {**row.columns, "colour": "red"}), "colour"),
        (lambda row: Row(row.table, row.ts_ns, row.symbols, {**row.columns, "price": "high"}), "price"),
    ],
    ids=["unknown table", "unknown column", "wrong type"],
)
async def test_row_that_does_not_fit_the_schema_is_rejected_by_name(
    writer: RowWriter, database: Database, venue: str, damage: Callable[[Row], Row], complaint: str
) -> None:
    with pytest.raises(StoreRejected, match=complaint):
        await writer.write([damage(as_row(trade(venue, 1)))])
    await writer.write([trade(venue, 2)])
    await database.wait_applied(["trades"])
    rows = await database.fetch("SELECT trade_id FROM trades WHERE venue = %(venue)s", {"venue": venue})
    assert rows == [{"trade_id": "2"}], "the writer goes on after a refusal"


async def test_writer_says_unavailable_when_nobody_listens(port: int, venue: str) -> None:
    writer = RowWriter(DatabaseConfig(http_port=port))
    with pytest.raises(StoreUnavailable):
        await writer.write([trade(venue, 1)])
    await writer.close()


async def test_pool_says_unavailable_when_nobody_listens(port: int) -> None:
    with pytest.raises(StoreUnavailable, match=str(port)):
        await Database.connect(DatabaseConfig(pg_port=port, connect_s_max=0.5))


async def test_broken_connection_is_found_out_before_it_is_lent_unless_it_was_used_just_now(
    questdb_config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with await Database.connect(questdb_config) as database:
        async with database._pool.connection() as connection:
            look = IdleCheck()
            await look(connection)
            await connection.close()
            await look(connection)
            monkeypatch.setattr("ares.store.pool.IDLE_S_MAX", 0.0)
            with pytest.raises(psycopg.OperationalError):
                await look(connection)
        assert await database.fetch("SELECT 1 AS one") == [{"one": 1}], "another one took its place"


async def test_refused_statement_names_itself(database: Database) -> None:
    with pytest.raises(StoreRejected, match=r"FROM nowhere"):
        await database.fetch("SELECT 1 FROM nowhere")


async def test_server_ends_a_statement_by_our_limit_not_by_its_own(
    questdb_config: DatabaseConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "SERVER_LATER_S", -29.0)
    endless = "SELECT sum(rnd_double()) FROM long_sequence(90000000000L)"
    patient = questdb_config.model_copy(update={"statement_s_max": 30.0})
    async with await Database.connect(patient) as database:
        with pytest.raises(StoreRejected, match="timeout=1000ms"):
            await database.fetch(endless)
    with pytest.raises(StoreRejected, match="timeout=1000ms"):
        await asyncio.to_thread(digest_of_rows, questdb_config, endless, 30.0)


async def test_readonly_user_cannot_write(questdb_config: DatabaseConfig) -> None:
    async with await Database.connect(questdb_config, readonly=True) as database:
        with pytest.raises((StoreRejected, StoreUnavailable), match=r"(?i)permission"):
            await database.execute("INSERT INTO schema_migrations VALUES (now(), 'x', 'y')")


async def test_parameters_may_stand_in_declare(database: Database) -> None:
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC)
    row = await database.fetch_one(
        "DECLARE @t := %(t)s::timestamp SELECT @t AS t, %(text)s AS text", {"t": moment, "text": "it's"}
    )
    assert row == {"t": moment.replace(tzinfo=None), "text": "it's"}


async def test_migrating_again_changes_nothing(database: Database, writer: RowWriter) -> None:
    await database.wait_applied(["view_digests", "schema_migrations"])
    applied = await migrate(database, writer, SystemClock())
    assert applied.migrations == ()
    assert applied.views == ()


async def test_every_declared_table_and_view_exists(database: Database) -> None:
    present = {row["table_name"] for row in await database.fetch("SELECT table_name FROM tables()")}
    present |= {row["view_name"] for row in await database.fetch("SELECT view_name FROM views()")}
    declared = {statement.name for statement in table_statements() + ordered(view_statements())}
    assert declared <= present


async def test_health_knows_every_wal_table(database: Database) -> None:
    states = {row["name"]: row["state"] for row in await storage_health(database)}
    assert {statement.name for statement in table_statements()} <= set(states)
    assert set(states.values()) <= {"ok", "behind"}


def test_utc_ns_is_written_as_a_timestamp_not_a_number() -> None:
    assert isinstance(UtcNs(5), int)
    assert repr(UtcNs(5) + 1) == "6"


async def test_a_table_that_takes_no_more_rows_is_told_with_its_reason(tmp_path: Path) -> None:
    config = small()
    with serving(config, tmp_path / "questdb") as server:
        async with await Database.connect(config) as database:
            await database.execute("CREATE TABLE stuck (ts TIMESTAMP, n LONG) TIMESTAMP(ts) PARTITION BY DAY WAL")
            table = await database.fetch_one("SELECT directoryName FROM tables() WHERE table_name = 'stuck'")
            assert table is not None
            for name in ("2020-01-01", "2020-01-01.0", "2020-01-01.1"):
                (server.root / "db" / str(table["directoryName"]) / name).write_text("in the way of a partition")
            await database.execute("INSERT INTO stuck VALUES ('2020-01-01', 1)")
            with pytest.raises(StoreUnavailable, match=r"WAL of stuck \(.+\) is suspended: writes are kept"):
                await database.wait_applied(["stuck"])


@pytest.mark.parametrize("turns", range(8))
async def test_who_is_ended_as_their_turn_for_a_connection_comes_is_ended(
    questdb_config: DatabaseConfig, turns: int
) -> None:
    one_at_a_time = questdb_config.model_copy(update={"pool_size_max": 1})
    async with await Database.connect(one_at_a_time) as database:

        async def reads() -> None:
            await database.fetch("SELECT 1 AS one")
            await asyncio.Event().wait()

        before = asyncio.create_task(database.fetch("SELECT sum(x) AS s FROM long_sequence(10000000)"))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(reads())
        await before
        for _ in range(turns):  # of the loop, until who waits has noticed
            await asyncio.sleep(0)
        waiting.cancel()
        done, _ = await asyncio.wait([waiting], timeout=10)
        waiting.cancel()
        assert done
