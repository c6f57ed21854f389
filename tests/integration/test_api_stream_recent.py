"""Goal: hundreds who subscribe at a moment ask the database a few times, and none of them misses a row by that."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from analytics.testing import SyntheticMarket
from api.stream.channels import BY_NAME
from api.stream.recent import LOOKS_AT_ONCE, Found, Recent
from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import DatabaseConfig
from ares.errors import StoreUnavailable
from ares.store import Database, Param, RowWriter
from ares.store.pool import Record

TRADES = BY_NAME["trades"]
SYMBOLS = ("BTC/USDT", "ETH/USDT")


class Watched:
    """What a database is asked, which may be let wait."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = 0
        self.open = asyncio.Event()
        self.open.set()
        fetch = database.fetch

        async def watched(sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
            self.asked += 1
            await self.open.wait()
            return await fetch(sql, params)

        monkeypatch.setattr(database, "fetch", watched)


@pytest.fixture
def watched(database: Database, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(database, monkeypatch)


async def test_who_comes_while_others_look_shares_the_next_look_and_sees_what_was_written_by_then(
    questdb_config: DatabaseConfig, database: Database, watched: Watched, writer: RowWriter, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=SYMBOLS)
    recent, clock = Recent(database, SystemClock()), SystemClock()
    watched.open.clear()
    busy = [asyncio.create_task(recent.found(TRADES, {"venue": f"other-{n}"})) for n in range(LOOKS_AT_ONCE)]
    await asyncio.sleep(0.05)
    crowd = [asyncio.create_task(recent.found(TRADES, {"venue": venue})) for _ in range(300)]
    await asyncio.sleep(0.05)
    await writer.write([market.trade(symbol, clock.now_ns()) for symbol in SYMBOLS])
    async with await Database.connect(questdb_config) as other:
        await other.wait_applied(["trades"])
    assert watched.asked == LOOKS_AT_ONCE
    watched.open.set()
    assert [(await each).rows for each in busy] == [[]] * LOOKS_AT_ONCE
    found = await asyncio.gather(*crowd)
    assert watched.asked == LOOKS_AT_ONCE + 1
    assert {item.row["symbol"] for item in found[0].rows} == set(SYMBOLS)
    assert all(each is found[0] for each in found)


async def test_who_goes_on_from_nearly_the_same_moment_shares_a_look_that_begins_before_it(
    database: Database, watched: Watched, writer: RowWriter, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=SYMBOLS)
    now_ns = SystemClock().now_ns()
    ages_s = (3_000, 1_000, 100)
    await writer.write([market.trade(SYMBOLS[0], now_ns - age_s * NANOS_PER_SECOND) for age_s in ages_s])
    await database.wait_applied(["trades"])
    recent, before = Recent(database, SystemClock()), watched.asked
    since_ns = now_ns - 1_500 * NANOS_PER_SECOND
    since_ns -= since_ns % (5 * NANOS_PER_SECOND)
    found = await asyncio.gather(*(recent.found(TRADES, {"venue": venue}, since_ns + n) for n in range(50)))
    assert watched.asked == before + 1
    assert [(len(each.rows), each.whole) for each in found] == [(2, True)] * 50


async def test_what_bears_a_moment_ahead_of_our_clock_is_there_already(
    database: Database, writer: RowWriter, venue: str
) -> None:
    ahead_ns = SystemClock().now_ns() + 60 * NANOS_PER_SECOND
    await writer.write([SyntheticMarket(venue, symbols=SYMBOLS).trade(SYMBOLS[0], ahead_ns)])
    await database.wait_applied(["trades"])
    assert len((await Recent(database, SystemClock()).found(TRADES, {"venue": venue})).rows) == 1


async def test_a_failure_is_told_to_all_who_waited_and_the_next_look_is_a_new_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
        raise StoreUnavailable("away")

    recent = Recent(database, SystemClock())
    with monkeypatch.context() as patched:
        patched.setattr(database, "fetch", away)
        failures = await asyncio.gather(*(recent.found(TRADES, {}) for _ in range(3)), return_exceptions=True)
    assert [type(failure) for failure in failures] == [StoreUnavailable] * 3
    assert await recent.found(TRADES, {"venue": "nowhere"}) == Found([], whole=True)
