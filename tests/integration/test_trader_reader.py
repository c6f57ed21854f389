"""Goal: a cycle reads from the real database what was known at its moment; rows it writes are taken as they are."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.model.row import Row, UtcNs
from ares.store import Database, RowWriter
from trader.reader import DatabaseReader, Figures

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


HOUR_NS, MINUTE = 3_600 * NANOS_PER_SECOND, 60 * NANOS_PER_SECOND


def priced(venue: str, prices: list[tuple[int, float]]) -> list[Row]:
    """A trade of one coin at each moment and price."""
    return [trade_row(venue, ts_ns, price) for ts_ns, price in prices]


async def seen_figures(
    questdb_config: DatabaseConfig, database: Database, venue: str, now_ns: int, wanted: str
) -> Figures:
    """What a reader knows once the bars of a view show the venue; views refresh after what they rest on."""
    await database.wait_applied(["trades"])
    async with asyncio.timeout(60):
        while not await database.fetch(BARS[wanted], {"venue": venue}):
            await asyncio.sleep(0.2)
    await database.wait_applied([wanted])
    reader = DatabaseReader(questdb_config, venue)
    try:
        return (await reader.read(now_ns)).figures
    finally:
        await reader.close()


BARS = {
    "bars_1m": "SELECT 1 FROM bars_1m WHERE venue = %(venue)s AND volume > 1.5",
    "bars_1h": "SELECT 1 FROM bars_1h WHERE venue = %(venue)s AND volume > 1.5",
}
"""The bar with two trades is the last."""


def closed(ts_ns: int, price: float) -> list[tuple[int, float]]:
    return [(ts_ns, price), (ts_ns + 1, price)]


async def test_value_at_risk_rests_on_the_loss_that_one_hour_of_twenty_exceeds(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    hour_ns = SystemClock().now_ns() // HOUR_NS * HOUR_NS
    falls = {5: 0.10, 17: 0.04, 29: 0.02, 41: 0.01}
    price, prices = 1000.0, []
    for number in range(50):
        price *= 1 - falls[number] if number in falls else 1.001
        prices.append((hour_ns - (51 - number) * HOUR_NS, price))
    prices.extend(closed(hour_ns - HOUR_NS, price))
    await writer.write(priced(venue, prices))
    figures = await seen_figures(questdb_config, database, venue, hour_ns, "bars_1h")
    loss = figures.loss_shares[BTC]
    assert abs(loss - Decimal("0.02")) < Decimal("1e-9"), "50 hours: two are worse than the third"


async def test_a_contract_may_be_short_so_the_rises_of_one_hour_of_twenty_count_too(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    hour_ns = SystemClock().now_ns() // HOUR_NS * HOUR_NS
    rises = {5: 0.10, 17: 0.04, 29: 0.03, 41: 0.01}
    price, prices = 1000.0, []
    for number in range(50):
        price *= 1 + rises[number] if number in rises else 0.999
        prices.append((hour_ns - (51 - number) * HOUR_NS, price))
    prices.extend(closed(hour_ns - HOUR_NS, price))
    coins = priced(venue, prices)
    contract = "BTC/USDT:USDT"
    await writer.write([*coins, *(replace(row, symbols={**row.symbols, "symbol": contract}) for row in coins)])
    figures = await seen_figures(questdb_config, database, venue, hour_ns, "bars_1h")
    assert abs(figures.loss_shares[contract] - Decimal("0.03")) < Decimal("1e-9"), "two rises are worse for a short"
    assert abs(figures.loss_shares[BTC] - Decimal("0.001")) < Decimal("1e-9"), "coins lose by falls alone"


async def test_a_short_history_or_one_with_holes_says_nothing_of_losses(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    hour_ns = SystemClock().now_ns() // HOUR_NS * HOUR_NS
    every_other = [(hour_ns - 2 * number * HOUR_NS, 1000.0 - number) for number in range(60, 1, -1)]
    await writer.write(priced(venue, [*every_other, *closed(hour_ns - 2 * HOUR_NS, 1000.0)]))
    figures = await seen_figures(questdb_config, database, venue, hour_ns, "bars_1h")
    assert figures.loss_shares == {}


async def test_turbulence_compares_the_hour_with_the_day_and_volume_is_the_hours(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    minute_ns = SystemClock().now_ns() // MINUTE * MINUTE
    calm = [(minute_ns - back * MINUTE, 1000.0 * (1.0001 if back % 2 else 1.0)) for back in range(600, 60, -1)]
    wild = [(minute_ns - back * MINUTE, 1000.0 * (1.001 if back % 2 else 1.0)) for back in range(60, 1, -1)]
    await writer.write(priced(venue, [*calm, *wild, *closed(minute_ns - MINUTE, 1001.0)]))
    figures = await seen_figures(questdb_config, database, venue, minute_ns, "bars_1m")
    activity = figures.activity[BTC]
    assert round(activity.volume_quote, 6) == round(Decimal(sum(price for _, price in wild)) + 2 * 1001, 6)
    assert activity.turbulence is not None
    assert Decimal(3) < activity.turbulence < Decimal("3.2"), "600 minutes of which 60 are ten times as wild: √10"


async def test_volatility_of_a_few_minutes_is_not_told(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str
) -> None:
    minute_ns = SystemClock().now_ns() // MINUTE * MINUTE
    few = [(minute_ns - back * MINUTE, 1000.0 + back) for back in range(20, 1, -1)]
    await writer.write(priced(venue, [*few, *closed(minute_ns - MINUTE, 1001.0)]))
    figures = await seen_figures(questdb_config, database, venue, minute_ns, "bars_1m")
    assert figures.activity[BTC].turbulence is None
    assert figures.loss_shares == {}
