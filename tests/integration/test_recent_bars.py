"""Goal: what is read over bars that were worked out once is what the views themselves say, to the bit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from analytics.catalog import catalog_of
from analytics.facts import BarKey, BarValues, Recent, Span
from analytics.recent import RecentBars
from analytics.testing import SYMBOLS, SyntheticMarket
from analytics.truth import TruthReader
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns
from ares.model.row import Storable
from ares.store import Database, RowWriter
from backup.drill.digest import tables
from tests.integration.test_analytics_freeze import MARKET_TABLES

MINUTES = 130
NAMES = (*SYMBOLS, "SOL/USDT")
CATALOG = catalog_of()
T = TypeVar("T")


@pytest.fixture
async def newest_ns(database: Database, writer: RowWriter, venue: str) -> int:
    """Two hours until now of all that features read, with gaps and a quiet quarter; the start of the newest bar."""
    market = SyntheticMarket(venue, symbols=NAMES)
    end_ns = floor_ns(SystemClock().now_ns(), MINUTE_NS)
    start_ns = end_ns - MINUTES * MINUTE_NS
    quiet_ns, lost_ns = end_ns - 70 * MINUTE_NS, end_ns - 20 * MINUTE_NS
    rows = [
        *market.trades(start_ns, MINUTES),
        *market.books(start_ns, MINUTES),
        *market.funding(start_ns, MINUTES),
        *market.marks(SystemClock().now_ns(), end_ns + NANOS_PER_SECOND),
        market.gap("ETH/USDT", lost_ns, lost_ns + 90 * NANOS_PER_SECOND, "detected", 0),
        market.gap("SOL/USDT", lost_ns, lost_ns + 90 * NANOS_PER_SECOND, "healed", 0),
    ]
    await writer.write([row for row in rows if not _within(row, quiet_ns, quiet_ns + 15 * MINUTE_NS)])
    await TruthReader(database, venue, CATALOG).settle(end_ns)
    return end_ns - MINUTE_NS


def _within(row: object, start_ns: int, end_ns: int) -> bool:
    return getattr(row, "symbol", "") == "SOL/USDT" and start_ns <= getattr(row, "ts_ns", 0) < end_ns


async def test_values_over_shared_bars_are_those_of_the_views(
    database: Database, venue: str, newest_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = TruthReader(database, venue, CATALOG)
    quick, slow = await _both(lambda: reader.truth(Recent(4)), monkeypatch)
    assert quick.features == slow.features
    newest = {(key.name, key.symbol): value for key, value in slow.features.items() if key.ts_ns == newest_ns}
    assert newest.keys() == {(d.name, symbol) for d in CATALOG.features for symbol in NAMES}
    assert None in newest.values()
    assert sum(value is not None for value in newest.values()) > len(newest) * 2 / 3
    every = await reader.bars(Span(min(key.ts_ns for key in quick.bars), newest_ns))
    assert quick.bars == {key: every[key] for key in quick.bars}
    assert {bar.status for bar in quick.bars.values()} == {"traded", "quiet", "gap"}


async def test_wishes_over_shared_bars_are_those_of_the_views(
    database: Database, venue: str, newest_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = TruthReader(database, venue, CATALOG)
    await reader.truth(Recent(4))
    quick, slow = await _both(lambda: reader.signals(Recent(4), CATALOG.signals), monkeypatch)
    assert quick == slow
    assert len({key.name for key in quick if key.ts_ns == newest_ns}) > 5


async def _both(read: Callable[[], Awaitable[T]], monkeypatch: pytest.MonkeyPatch) -> tuple[T, T]:
    """The same reading of the last minutes over shared bars and of the views, while they are the same minutes."""
    while True:
        minute = SystemClock().now_ns() // MINUTE_NS
        quick = await read()
        with monkeypatch.context() as patch:
            patch.setattr("analytics.truth.sources_of", lambda _: {})
            slow = await read()
        if SystemClock().now_ns() // MINUTE_NS == minute:
            return quick, slow


@pytest.mark.parametrize("change", ["nothing", "a late trade", "a gap", "a candle"])
async def test_bars_are_those_of_the_view_whatever_changes_behind_them(
    database: Database, writer: RowWriter, venue: str, newest_ns: int, change: str
) -> None:
    recent = RecentBars(database, venue)
    before = await _as_in_the_view(recent, newest_ns)
    market = SyntheticMarket(venue, symbols=("BTC/USDT",))
    market.seqs["BTC/USDT"] = 10**6
    old_ns = newest_ns - 50 * MINUTE_NS
    changes: dict[str, list[Storable]] = {
        "nothing": [],
        "a late trade": [market.trade("BTC/USDT", old_ns + NANOS_PER_SECOND)],
        "a gap": [market.gap("BTC/USDT", old_ns, old_ns + 1, "detected", 0)],
        "a candle": market.candles(old_ns, 1),
    }
    await writer.write(changes[change])
    await recent_reader(recent).settle(newest_ns + MINUTE_NS)
    after = await _as_in_the_view(recent, newest_ns)
    changed = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert changed == ({BarKey("BTC/USDT", old_ns)} if change in {"a late trade", "a gap"} else set())


async def test_while_nothing_changes_only_the_newest_bars_are_worked_out(
    database: Database, venue: str, newest_ns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    work_out = RecentBars._work_out

    async def noted(self: RecentBars, minutes: int, warm_up: int) -> None:
        asked.append((minutes, warm_up))
        await work_out(self, minutes, warm_up)

    monkeypatch.setattr(RecentBars, "_work_out", noted)
    recent = RecentBars(database, venue)
    for _ in range(3):
        await _as_in_the_view(recent, newest_ns)
    assert asked == [(4, 120), (7, 0), (7, 0)]


async def test_a_symbol_whose_watermark_stood_still_has_no_hole_when_it_goes_on(
    database: Database, writer: RowWriter, venue: str
) -> None:
    now_ns = SystemClock().now_ns()
    end_ns = floor_ns(now_ns, MINUTE_NS)
    ahead, behind = SyntheticMarket(venue, symbols=("ETH/USDT",)), SyntheticMarket(venue, symbols=("BTC/USDT",))
    rows = [*ahead.trades(end_ns - 40 * MINUTE_NS, 40), *behind.trades(end_ns - 40 * MINUTE_NS, 20)]
    await writer.write([*rows, *ahead.marks(now_ns, end_ns), *behind.marks(now_ns, end_ns - 20 * MINUTE_NS)])
    await database.wait_applied(MARKET_TABLES)
    recent = RecentBars(database, venue)
    await recent_reader(recent).settle(0)
    before = await _as_in_the_view(recent, end_ns - MINUTE_NS)
    assert max(key.ts_ns for key in before if key.symbol == "BTC/USDT") == end_ns - 21 * MINUTE_NS
    await writer.write(behind.marks(now_ns + 1, end_ns))
    await database.wait_applied(MARKET_TABLES)
    after = await _as_in_the_view(recent, end_ns - MINUTE_NS)
    assert max(key.ts_ns for key in after if key.symbol == "BTC/USDT") == end_ns - MINUTE_NS


async def test_what_somebody_took_out_of_the_table_is_there_again(
    database: Database, venue: str, newest_ns: int
) -> None:
    recent = RecentBars(database, venue)
    before = await _as_in_the_view(recent, newest_ns)
    await database.execute("TRUNCATE TABLE bars_1m_recent")
    await database.wait_applied(["bars_1m_recent"])
    after = await _as_in_the_view(recent, newest_ns)
    kept = await database.fetch_one("SELECT count() AS n FROM bars_1m_recent WHERE venue = %(venue)s", {"venue": venue})
    assert kept is not None
    assert kept["n"] == len(after) >= len(before) - len(NAMES)


def recent_reader(recent: RecentBars) -> TruthReader:
    return TruthReader(recent.database, recent.venue, CATALOG)


async def _as_in_the_view(recent: RecentBars, newest_ns: int) -> dict[BarKey, BarValues]:
    """The bars until a moment, after they were held against the view's."""
    found = {key: bar for key, bar in (await recent.renew(4)).items() if key.ts_ns <= newest_ns}
    oldest_ns = min(key.ts_ns for key in found)
    whole = await recent_reader(recent).bars(Span(oldest_ns, newest_ns))
    assert found == {key: bar for key, bar in whole.items() if key.ts_ns >= oldest_ns}
    return found


async def test_a_drill_does_not_hold_rows_that_are_written_anew_against_the_backup(database: Database) -> None:
    found = await tables(database)
    assert found["bars_1m_recent"].derived
    assert not found["bar_facts"].derived
