"""Goal: a cycle reads from the real database what was known at its moment; rows it writes are taken as they are."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from trader.reader import DatabaseReader

BTC = "BTC/USDT"


def signal_row(venue: str, ts_ns: int, known_at_ns: int, target: float | None, revision: int = 0) -> Row:
    return Row(
        "signal_values",
        ts_ns,
        {"venue": venue, "symbol": BTC, "strategy": "signal_momentum", "known_at_kind": "live"},
        {
            "version": 1,
            "revision": revision,
            "target": target,
            "confidence": 0.5,
            "known_at": UtcNs(known_at_ns),
            "watermark": UtcNs(known_at_ns),
        },
    )


def quote_row(venue: str, ts_ns: int, bid: float, ask: float) -> Row:
    columns = {"update_id": ts_ns, "bid": bid, "bid_amount": 1.0, "ask": ask, "ask_amount": 1.0}
    symbols = {"venue": venue, "symbol": BTC, "ts_source": "receipt"}
    return Row("quotes", ts_ns, symbols, {**columns, "received_at": UtcNs(ts_ns + 5)})


def trade_row(venue: str, ts_ns: int, price: float) -> Row:
    symbols = {"venue": venue, "symbol": BTC, "side": "buy", "source": "stream"}
    return Row("trades", ts_ns, symbols, {"trade_id": str(ts_ns), "seq": ts_ns, "price": price, "amount": 1.0})


async def test_the_reader_sees_the_newest_of_everything_as_known_at_the_moment(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    second = NANOS_PER_SECOND
    await writer.write(
        [
            signal_row(venue, now_ns - 180 * second, now_ns - 119 * second, 0.1),
            signal_row(venue, now_ns - 120 * second, now_ns - 59 * second, 0.25),
            signal_row(venue, now_ns - 120 * second, now_ns + 30 * second, 0.75, revision=1),
            quote_row(venue, now_ns - 2 * second, 99.0, 101.0),
            quote_row(venue, now_ns - second, 61837.63, 61837.64),
            trade_row(venue, now_ns - 3 * second, 61000.1),
            trade_row(venue, now_ns - second, 61837.64),
        ]
    )
    await database.wait_applied(["signal_values", "quotes", "trades"])
    reader = DatabaseReader(questdb_config, venue)
    try:
        seen = await reader.read(now_ns)
        later = await reader.read(now_ns + 31 * second)
    finally:
        await reader.close()
    signal = seen.signals["signal_momentum", 1, BTC]
    assert (signal.target, signal.ts_ns, signal.known_at_ns) == (0.25, now_ns - 120 * second, now_ns - 59 * second)
    assert later.signals["signal_momentum", 1, BTC].target == 0.75
    quote = seen.quotes[BTC]
    assert (quote.bid, quote.ask, quote.received_at_ns) == (
        Decimal("61837.63"),
        Decimal("61837.64"),
        now_ns - second + 5,
    )
    assert seen.trades == {BTC: Decimal("61837.64")}


async def test_a_signal_whose_inputs_were_missing_has_no_target(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    await writer.write([signal_row(venue, now_ns - 60 * NANOS_PER_SECOND, now_ns, None)])
    await database.wait_applied(["signal_values"])
    reader = DatabaseReader(questdb_config, venue)
    try:
        seen = await reader.read(now_ns + NANOS_PER_SECOND)
    finally:
        await reader.close()
    assert seen.signals["signal_momentum", 1, BTC].target is None
    assert seen.quotes == {}


async def test_a_database_that_is_away_is_waited_for_by_one_attempt_at_a_time(port: int) -> None:
    reader = DatabaseReader(DatabaseConfig(pg_port=port), "nowhere")
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await reader.read(SystemClock().now_ns())
    connecting = [task for task in asyncio.all_tasks() if task.get_name() == "connect"]
    assert len(connecting) == 1
    await reader.close()
    assert connecting[0].done()


async def test_a_signal_that_can_be_read_is_news_once_and_history_that_is_caught_up_with_is_none(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    reader = DatabaseReader(questdb_config, venue)

    async def newest_after(*rows: Row) -> int:
        await writer.write(rows)
        await database.wait_applied(["signal_values"])
        return await reader.newest_signal_ns(now_ns)

    minute = 60 * NANOS_PER_SECOND
    try:
        assert await reader.newest_signal_ns(now_ns) == 0
        assert await newest_after(signal_row(venue, now_ns - 60 * minute, now_ns, 0.1)) == 0
        assert await newest_after(signal_row(venue, now_ns - minute, now_ns - 9, 0.1)) == now_ns - 9
        other = signal_row(f"{venue}x", now_ns - minute, now_ns, 0.1)
        assert await newest_after(other) == now_ns - 9
        assert await newest_after(signal_row(venue, now_ns - minute, now_ns + 5, 0.2, revision=1)) == now_ns + 5
    finally:
        await reader.close()
