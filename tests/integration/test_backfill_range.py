"""A range of the past is fetched once and whole, whatever interrupts it, and `gaps` says what lies around it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from ares.clock import HOUR_NS, NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock, isoformat
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import UsageError, VenueUnavailable
from ares.store import Database
from ingest.fetching import Order, What, fetch_range, heal_gaps
from ingest.past import Report, Window
from tests.integration.test_imports_beside_ingest import BACKFILLED, holes
from tests.integration.test_ingest_service import GAPS, HISTORY_TRADES, Venue, context_of, running, serving

CLOCK = SystemClock()
SYMBOL = "BTC/USDT"
STORED = "SELECT seq FROM {table} WHERE venue = %(venue)s AND symbol = 'BTC/USDT' ORDER BY seq"
SOURCES = "SELECT DISTINCT source FROM trades WHERE venue = %(venue)s"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are there for a venue's sake are short in tests."""
    monkeypatch.setattr("ingest.backfill.FIRST_TRADE_S_MAX", 0.3)
    monkeypatch.setattr("ingest.healing.LOOK_AGAIN_S", 0.1)
    monkeypatch.setattr("ingest.past.SERVICE_S", 0.0)
    monkeypatch.setattr("ingest.patience.FAILURES_MAX", 2)


@dataclass
class Asked(Venue):
    """A venue that notes what it is asked, and may break off or tell to wait."""

    pages: list[int] = field(default_factory=list)
    questions: list[float] = field(default_factory=list)
    pages_max: int = 1_000_000
    wait_s: str = ""

    async def _agg_trades(self, request: web.Request) -> web.Response:
        self.questions.append(CLOCK.monotonic_s())
        if self.wait_s:
            wait_s, self.wait_s = self.wait_s, ""
            return web.json_response({"code": -1003, "msg": "Too many"}, status=429, headers={"Retry-After": wait_s})
        if self.pages_max <= len(self.pages):
            return web.json_response({"code": -1001, "msg": "Internal error"}, status=503)
        if "fromId" in request.query:
            self.pages.append(int(request.query["fromId"]))
        return await super()._agg_trades(request)

    def ns_of(self, seq: int) -> int:
        return int(str(self.trades["BTCUSDT"][seq - 1]["T"])) * NANOS_PER_MILLI


@dataclass
class Place:
    """A venue, a store, and the command."""

    there: Asked
    config: AresConfig
    database: Database
    name: str

    async def fetch(self, first: int, last: int, what: What = "trades") -> dict[str, object]:
        """Fetch the range of time from trade `first` to trade `last`."""
        window = Window(self.there.ns_of(first), self.there.ns_of(last) + 1)
        order = Order([SYMBOL], what, window)
        [row] = await fetch_range(self.config, order, CLOCK, quiet)
        return dict(row)

    async def heal(self, gap_id: str | None = None) -> list[dict[str, object]]:
        return [dict(row) for row in await heal_gaps(self.config, [SYMBOL], gap_id, CLOCK, quiet)]

    async def ids(self, table: str = "trades") -> list[int]:
        await self.database.wait_applied([table])
        records = await self.database.fetch(STORED.format(table=table), {"venue": self.name})
        return [int(str(record["seq"])) for record in records]

    async def missing(self) -> list[tuple[object, ...]]:
        found = await holes(self.database, self.name)
        return [(row["cause"], row["first_seq"], row["last_seq"]) for row in found]


PlaceOf = Callable[..., AbstractAsyncContextManager[Place]]


def quiet(_name: str) -> Report:
    return lambda _done, _total: None


@pytest.fixture
def place_of(questdb_config: DatabaseConfig, database: Database, venue: str, port: int, tmp_path: Path) -> PlaceOf:
    @asynccontextmanager
    async def make(
        retention_days: int = 0, per_minute: int = 60_000, there: Asked | None = None
    ) -> AsyncIterator[Place]:
        store = questdb_config.model_copy(update={"retention_trades_days": retention_days})
        config = context_of(store, venue, port, tmp_path, backoff_s_max=0.1, symbols=(SYMBOL,)).config
        paced = config.venues[venue].model_copy(update={"backfill_requests_per_minute_max": per_minute})
        config = config.model_copy(update={"venues": {venue: paced}})
        there = there or Asked()
        async with serving(there, port):
            yield Place(there, config, database, venue)

    return make


async def test_a_range_is_fetched_whole_and_a_second_time_nothing_is_asked_for(place_of: PlaceOf) -> None:
    async with place_of() as place:
        row = await place.fetch(301, 1_700)
        assert (row["first_seq"], row["last_seq"], row["fetched"], row["known"]) == (301, 1_700, 1_400, 0)
        assert await place.ids() == list(range(301, 1_701))
        assert [r["source"] for r in await place.database.fetch(SOURCES, {"venue": place.name})] == ["backfill"]
        assert await place.missing() == []
        row = await place.fetch(301, 1_700)
        assert (row["fetched"], row["known"]) == (0, 1_400)


async def test_what_lies_between_two_ranges_is_a_gap_until_it_is_fetched(place_of: PlaceOf) -> None:
    async with place_of() as place:
        await place.fetch(101, 200)
        await place.fetch(501, 600)
        await place.fetch(301, 350)
        assert await place.missing() == [("import", 201, 300), ("import", 351, 500)]
        row = await place.fetch(151, 450)
        assert (row["fetched"], row["known"]) == (200, 100)
        assert await place.missing() == [("import", 451, 500)]
        await place.fetch(1, 700)
        assert await place.missing() == []
        assert await place.ids() == list(range(1, 701))


async def test_a_range_that_breaks_off_says_what_is_missing_and_goes_on_where_it_ended(
    place_of: PlaceOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.history.PAGE_TRADES_MAX", 100)
    async with place_of() as place:
        await place.fetch(2_001, 2_100)
        place.there.pages.clear()
        place.there.pages_max = 15
        with pytest.raises(VenueUnavailable, match="goes on from there"):
            await place.fetch(1, 1_800)
        stored = await place.ids()
        done = stored.index(2_001)
        assert 100 <= done < 1_800
        assert stored[:done] == list(range(1, done + 1))
        place.there.pages_max = 1_000_000
        row = await place.fetch(1, 1_800)
        assert (row["known"], row["fetched"]) == (done, 1_800 - done)
        assert await place.missing() == [("import", 1_801, 2_000)]


async def test_ids_that_the_venue_does_not_list_are_lost_are_not_asked_for_again_and_heal_when_it_does(
    place_of: PlaceOf,
) -> None:
    async with place_of() as place:
        place.there.forgotten = {150, 151, 152, 170}
        row = await place.fetch(101, 200)
        assert (row["fetched"], row["unlisted"]) == (96, 4)
        assert await place.missing() == [("backfill", 150, 152), ("backfill", 170, 170)]
        row = await place.fetch(101, 200)
        assert (row["fetched"], row["unlisted"], row["known"]) == (0, 0, 100)
        assert [(each["found"], each["status"]) for each in await place.heal()] == [(0, "lost")] * 2
        place.there.forgotten = {151}
        assert [(each["found"], each["status"]) for each in await place.heal()] == [(2, "lost"), (1, "healed")]
        assert await place.missing() == [("backfill", 151, 151)]
        place.there.forgotten = set()
        [row] = await place.heal()
        assert (row["found"], row["missing"], row["status"]) == (1, 0, "healed")
        assert await place.missing() == []
        with pytest.raises(UsageError, match="healed already"):
            await place.heal(str(row["gap_id"]))
        with pytest.raises(UsageError, match="no gap"):
            await place.heal("nothing:like:this")


async def test_a_hole_between_ranges_is_healed_when_it_is_named(place_of: PlaceOf) -> None:
    async with place_of() as place:
        await place.fetch(101, 200)
        await place.fetch(301, 400)
        assert await place.heal() == []
        [record] = await place.database.fetch(
            "SELECT gap_id FROM gaps WHERE venue = %(venue)s AND first_seq = 201 AND last_seq = 300 "
            "LATEST ON ts PARTITION BY gap_id ORDER BY ts DESC LIMIT 1",
            {"venue": place.name},
        )
        [row] = await place.heal(str(record["gap_id"]))
        assert (row["found"], row["status"]) == (100, "healed")
        assert await place.missing() == []


async def test_trades_older_than_the_retention_go_to_the_archive_and_are_not_fetched_again(place_of: PlaceOf) -> None:
    there = Asked()
    for row in there.trades["BTCUSDT"][:1_000]:
        row["T"] = int(str(row["T"])) - 86_400_000 * 3
    async with place_of(retention_days=2, there=there) as place:
        row = await place.fetch(501, 1_500)
        assert (row["fetched"], row["archived"]) == (1_000, 500)
        assert await place.ids("trades_archive") == list(range(501, 1_001))
        assert await place.ids() == list(range(1_001, 1_501))
        assert (await place.fetch(501, 1_500))["known"] == 1_000
        assert await place.missing() == []


async def test_candles_of_a_range_come_once(place_of: PlaceOf) -> None:
    async with place_of() as place:
        row = await place.fetch(1, HISTORY_TRADES - 100, what="bars")
        minutes = int(str(row["fetched"]))
        assert 38 <= minutes <= 42
        await place.database.wait_applied(["venue_bars_1m"])
        row = await place.fetch(1, HISTORY_TRADES - 100, what="bars")
        assert (row["known"], row["fetched"]) == (minutes, 0)


async def test_a_venue_that_says_how_long_to_wait_is_not_asked_before(place_of: PlaceOf) -> None:
    async with place_of() as place:
        place.there.wait_s = "1"
        await place.fetch(101, 200)
        assert place.there.questions[1] - place.there.questions[0] >= 1.0


async def test_questions_keep_to_the_budget_of_a_minute(place_of: PlaceOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.history.PAGE_TRADES_MAX", 100)
    async with place_of(per_minute=600) as place:
        await place.fetch(1, 1_000)
        asked = place.there.questions
        assert len(asked) > 10
        assert (len(asked) - 1) * 0.1 - 0.3 <= asked[-1] - asked[0]


async def test_a_command_that_is_killed_leaves_nothing_to_fetch_twice(place_of: PlaceOf, tmp_path: Path) -> None:
    async with place_of() as place:
        store, venue = place.config.database, place.config.venues[place.name]
        own = tmp_path / "own.toml"
        own.write_text(
            f"[environment]\nstate_dir = '{tmp_path}'\n"
            f"[database]\nhttp_port = {store.http_port}\npg_port = {store.pg_port}\n"
            f"[venues.{place.name}]\nrest_url = '{venue.rest_url}'\nws_url = '{venue.ws_url}'\n"
            "backfill_requests_per_minute_max = 120\n"
            f"[ingest]\nvenue = '{place.name}'\nsymbols = ['{SYMBOL}']\n",
            encoding="utf-8",
        )
        from_ns = place.there.ns_of(1)
        start = CLOCK.now_ns() - 12 * HOUR_NS
        assert from_ns > start
        command = [sys.executable, "-m", "ares.cli", "ingest", "backfill", "--from", moment(start), "--what", "trades"]
        process = await asyncio.create_subprocess_exec(*command, env={**os.environ, "ARES_CONFIG": str(own)})
        try:
            async with asyncio.timeout(60):
                while not await place.ids():
                    assert process.returncode is None
                    await asyncio.sleep(0.1)
        finally:
            process.kill()
            await process.wait()
        stored = await place.ids()
        assert len(stored) < HISTORY_TRADES
        row = await place.fetch(1, HISTORY_TRADES)
        assert (row["known"], row["fetched"]) == (len(stored), HISTORY_TRADES - len(stored))
        assert await place.ids() == list(range(1, HISTORY_TRADES + 1))
        assert await place.missing() == []


async def test_beside_a_service_nothing_is_disturbed_and_a_restart_misses_nothing(
    place_of: PlaceOf, tmp_path: Path
) -> None:
    async with place_of() as place:
        port = int(str(place.config.venues[place.name].rest_url).rpartition(":")[2])
        context = context_of(place.config.database, place.name, port, tmp_path, backfill_trades_hours=0.1)
        async with running(context, place.there, place.database) as run:
            await place.there.subscribed(6)
            await place.there.move_all()
            await run.until(BACKFILLED, 2)
            row = await place.fetch(101, 300)
            assert row["fetched"] == 200
            for _ in range(5):
                await place.there.move_all()
            await run.until(GAPS, 0, channel="trades", status="open")
            first = min(seq for seq in await place.ids() if seq > 300)
            assert await place.missing() == [("import", 301, first - 1)]
            await place.fetch(301, first + 50)
            assert await place.missing() == []
        async with running(context, place.there, place.database) as run:
            await place.there.subscribed(6)
            await place.there.move_all()
            await run.until(GAPS, 0, channel="trades", status="open")
            assert run.service._desk.intakes[SYMBOL].first == first
        assert await place.missing() == []


def moment(ns: int) -> str:
    return isoformat(ns)[:19]


@pytest.mark.parametrize(
    ("from_s", "to_s", "problem"),
    [
        (10, None, "lies in the future"),
        (-20, 10, "lies in the future"),
        (-20, -20, "empty"),
        (-20, -30, "before --from"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(from_s: int, to_s: int | None, problem: str) -> None:
    now_ns = CLOCK.now_ns()
    bounds = [None if each is None else now_ns + each * NANOS_PER_SECOND for each in (from_s, to_s)]
    with pytest.raises(UsageError, match=problem):
        Window.checked(bounds[0] or 0, bounds[1], now_ns)
