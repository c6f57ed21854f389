"""Goal: what QuestDB has, an InfluxDB-compatible endpoint has too, each row once, whatever fails between them.

The endpoint is a second QuestDB's `/api/v2/write`, behind a door that misbehaves on request.
"""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr

from ares.clock import DAY_NS, HOUR_NS, MINUTE_NS, NANOS_PER_MILLI, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.config.influx import InfluxConfig
from ares.config.settings import AresConfig, DatabaseConfig
from ares.errors import ConfigError, CopyDenied, CopyUnavailable
from ares.model.market import Trade
from ares.model.row import Row, UtcNs
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.store.pool import Record
from ares.store.queries import split_statements
from ingest.influx.client import Influx
from ingest.influx.copier import Copier
from ingest.influx.points import SPAN_NS
from ingest.influx.service import InfluxCopy, create, endpoint_of
from ingest.services import INFLUX
from tests.conftest import free_port
from tests.helpers import ROOT, running
from tests.questdb import serving, small

TABLES = (ROOT / "docs" / "guides" / "operator" / "influx-target.sql").read_text(encoding="utf-8")
THERE = "SELECT *, timestamp::long AS time_ns FROM trades WHERE venue = %(venue)s ORDER BY timestamp"
HERE = """
SELECT *, ts::long AS ts_ns, received_at::long AS received_at_ns FROM trades WHERE venue = %(venue)s ORDER BY ts, seq
"""
SAME = ("venue", "symbol", "side", "source", "trade_id", "seq", "price", "amount", "ts_ns", "received_at_ns")
COPIED = "SELECT sum(refused) AS refused FROM copies WHERE target = %(target)s"


@dataclass
class Door:
    """Stands in front of the endpoint: hands on, refuses, or keeps silent."""

    upstream: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    silent: bool = False
    only_small: int = 0
    poison: bytes = b""
    swallow_answer: bool = False
    requests: int = 0
    refused: int = 0
    lines: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.requests += 1
        if self.silent:
            await asyncio.sleep(30)
        if self.status:
            return web.Response(status=self.status, text='{"message":"not now"}', headers=self.headers)
        if self.only_small and body.count(b"\n") + 1 > self.only_small:
            return web.Response(status=413, text="too large")
        if self.poison and self.poison in body:
            self.refused += 1
            return web.Response(status=400, text='{"code":"invalid"}')
        self.lines += body.count(b"\n") + 1
        headers = {name: value for name, value in request.headers.items() if name in {"Authorization", "Content-Type"}}
        target = self.upstream + request.path_qs
        async with (
            aiohttp.ClientSession() as session,
            session.post(target, data=io.BytesIO(body), headers=headers) as answer,
        ):
            text = await answer.text()
        if self.swallow_answer:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=answer.status, text=text)


@dataclass
class Sides:
    """Our store, the endpoint's, the door between them, and whose rows a test looks at."""

    database: Database
    writer: RowWriter
    there: Database
    door: Door
    venue: str

    @asynccontextmanager
    async def copying(self, **changes: object) -> AsyncIterator[Copier]:
        """A copier of trades, if nothing else is wanted."""
        settings = settings_of(self.door, **changes)
        influx = Influx(endpoint_of(settings))
        try:
            yield Copier(self.database, self.writer, lambda: influx, str(settings.target), settings, SystemClock())
        finally:
            await influx.close()

    async def rounds(self, copier: Copier, times: int = 20) -> None:
        """Until nothing is left to send."""
        await self.database.wait_applied(["trades", "quotes", "books", "gaps", "venue_bars_1m", "copies"])
        for _ in range(times):
            await asyncio.sleep(copier.settings.sweep_s)
            if not await copier.round():
                return
        raise AssertionError("it never ends")

    async def compared(self) -> tuple[list[Record], list[Record]]:
        """The same columns on both sides."""
        await self.there.wait_applied(["trades"])
        ours = await self.database.fetch(HERE, {"venue": self.venue})
        theirs = await self.there.fetch(THERE, {"venue": self.venue})
        return [{name: row[name] for name in SAME} for row in ours], [
            {name: row[name] for name in SAME} for row in theirs
        ]

    async def refused(self, copier: Copier) -> object:
        await self.database.wait_applied(["copies"])
        copied = await self.database.fetch_one(COPIED, {"target": copier.target_name})
        assert copied is not None
        return copied["refused"]


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseConfig]:
    """A second QuestDB, with tables that keep a point once."""
    config = small(heap_mb=384)

    async def create_tables() -> None:
        async with await Database.connect(config) as there:
            for sql in split_statements(TABLES):
                await there.execute(sql)

    with serving(config, tmp_path_factory.mktemp("elsewhere")):
        asyncio.run(create_tables())
        yield config


@pytest.fixture
async def there(elsewhere: DatabaseConfig) -> AsyncIterator[Database]:
    async with await Database.connect(elsewhere) as pool:
        yield pool


@asynccontextmanager
async def served(door: Door, port: int) -> AsyncIterator[None]:
    app = web.Application(client_max_size=2**30)
    app.router.add_post("/api/v2/write", door.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
async def door(elsewhere: DatabaseConfig, port: int) -> AsyncIterator[Door]:
    door = Door(f"http://127.0.0.1:{elsewhere.http_port}", url=f"http://127.0.0.1:{port}")
    async with served(door, port):
        yield door


def settings_of(door: Door, **changes: object) -> InfluxConfig:
    """Only what is young is sent: others' tests share the server."""
    since = to_datetime(floor_ns(SystemClock().now_ns() - 20 * MINUTE_NS, MINUTE_NS))
    given: dict[str, object] = {
        "url": door.url, "bucket": "copy", "tables": ("trades",), "token": SecretStr("admin:quest"),
        "auth": "basic", "since": since,
        "settle_s": 0.1, "sweep_s": 0.1, "timeout_s": 2.0, "backoff_s_min": 0.05, "backoff_s_max": 0.2,
    }  # fmt: skip
    return InfluxConfig.model_validate(given | changes)


def past_ns(seconds: int = 60) -> int:
    return floor_ns(SystemClock().now_ns(), SPAN_NS) - seconds * NANOS_PER_SECOND


def trades_of(venue: str, first: int, count: int, start_ns: int, *, ties: int = 4, delay_ns: int = 0) -> list[Trade]:
    """Trades of which some share a time."""
    return [
        Trade(
            venue, "BTC/USDT", str(seq), seq, "buy" if seq % 3 else "sell", 60_000 + seq / 7, 0.1 + seq / 13,
            ts_ns := start_ns + (seq - first) // ties * 20 * NANOS_PER_MILLI, ts_ns + delay_ns + 5_000_000,
            source="stream",
        )
        for seq in range(first, first + count)
    ]  # fmt: skip


@pytest.fixture
def sides(database: Database, writer: RowWriter, there: Database, door: Door, venue: str) -> Sides:
    return Sides(database, writer, there, door, venue)


async def test_rows_there_equal_rows_here_and_those_of_one_time_stand_apart(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 4_000, past_ns(), ties=400))
    async with sides.copying(batch_rows_max=700, queue_rows_max=150) as copier:
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert len(ours) == 4_000
    assert theirs == ours
    places = [row["time_ns"] for row in await sides.there.fetch(THERE, {"venue": sides.venue})]
    assert places[:3] == [ours[0]["ts_ns"], ours[0]["ts_ns"] + 1, ours[0]["ts_ns"] + 2]


async def test_every_table_is_sent(sides: Sides) -> None:
    ts_ns = past_ns()
    tags, whose = {"venue": sides.venue, "symbol": "BTC/USDT"}, {"received_at": UtcNs(ts_ns + 1)}
    prices: dict[str, list[list[float]]] = {"bids": [[3.0, 2.0], [1.0, 1.5]], "asks": [[4.0, 5.0], [2.0, 2.5]]}
    quote = {"update_id": 1, "bid": 1.25, "bid_amount": 2.0, "ask": 1.5, "ask_amount": 3.0}
    candle = {"open": 1.0, "high": 2.0, "low": 0.5, "close": 1.5, "volume": 9.0}
    await sides.writer.write(
        [
            Row("quotes", ts_ns, {**tags, "ts_source": "venue"}, {**quote, **whose}),
            Row("books", ts_ns, {**tags, "ts_source": "venue"}, {"update_id": 2, **prices, **whose}),
            Row("gaps", ts_ns, {**tags, "channel": "trades", "status": "open"}, {"gap_id": "a b,c=d", "revision": 1}),
            Row("venue_bars_1m", floor_ns(ts_ns - MINUTE_NS, MINUTE_NS), tags, {**candle, **whose}),
        ]
    )
    async with sides.copying(book_levels=1, tables=("quotes", "books", "gaps", "venue_bars_1m")) as copier:
        await sides.rounds(copier)
    await sides.there.wait_applied(["quotes", "books", "gaps", "venue_bars_1m"])
    found: dict[str, Record | None] = {}
    for table in ("quotes", "books", "gaps", "venue_bars_1m"):
        sql = {"quotes": QUOTE, "books": BOOK, "gaps": GAP, "venue_bars_1m": BAR}[table]
        found[table] = await sides.there.fetch_one(sql, {"venue": sides.venue})
    assert found["quotes"] == {"bid": 1.25, "ask_amount": 3.0, "update_id": 1}
    assert found["books"] == {"bid_1": 3.0, "bid_amount_1": 1.0, "ask_1": 4.0, "ask_amount_1": 2.0}
    assert found["gaps"] == {"status": "open", "gap_id": "a b,c=d", "revision": 1}
    assert found["venue_bars_1m"] == {"high": 2.0, "close": 1.5, "volume": 9.0}


QUOTE = "SELECT bid, ask_amount, update_id FROM quotes WHERE venue = %(venue)s"
BOOK = "SELECT bid_1, bid_amount_1, ask_1, ask_amount_1 FROM books WHERE venue = %(venue)s"
GAP = "SELECT status, gap_id, revision FROM gaps WHERE venue = %(venue)s"
BAR = "SELECT high, close, volume FROM venue_bars_1m WHERE venue = %(venue)s"


async def test_what_is_there_is_not_sent_again(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 100, past_ns()))
    async with sides.copying() as copier:
        await sides.rounds(copier)
        sent = sides.door.lines
        await sides.rounds(copier)
    async with sides.copying() as started_again:
        await sides.rounds(started_again)
    assert sent >= 100
    assert sides.door.lines == sent


async def test_trades_that_come_late_are_sent_and_shift_those_of_their_time(sides: Sides) -> None:
    trades = trades_of(sides.venue, 1, 300, past_ns(600), ties=10)
    late = [trade for trade in trades if trade.seq % 10 == 4]
    await sides.writer.write([trade for trade in trades if trade.seq % 10 != 4])
    async with sides.copying() as copier:
        await sides.rounds(copier)
        before, theirs = await sides.compared()
        assert theirs == before
        await sides.writer.write(late)
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert len(ours) == 300
    assert theirs == ours


async def test_a_row_that_was_replaced_is_sent_again(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 20, past_ns(600)))
    async with sides.copying() as copier:
        await sides.rounds(copier)
        await sides.writer.write(trades_of(sides.venue, 7, 1, past_ns(600) + 20 * NANOS_PER_MILLI, delay_ns=HOUR_NS))
        copier.rechecked_s = float("-inf")
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert theirs == ours


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_target_that_says_later_is_asked_again_and_nothing_is_lost(sides: Sides, status: int) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 50, past_ns()))
    sides.door.status, sides.door.headers = status, {"Retry-After": "7"}
    async with sides.copying() as copier:
        await sides.database.wait_applied(["trades"])
        with pytest.raises(CopyUnavailable, match=str(status)) as refused:
            await copier.round()
        assert refused.value.retry_after_s == 7.0
        sides.door.status = 0
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert theirs == ours


async def test_answer_that_never_came_leaves_each_row_once(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 50, past_ns()))
    sides.door.swallow_answer = True
    async with sides.copying() as copier:
        await sides.database.wait_applied(["trades"])
        with pytest.raises(CopyUnavailable, match="does not answer"):
            await copier.round()
        sides.door.swallow_answer = False
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert theirs == ours


async def test_a_target_that_is_slow_is_given_up_after_its_time(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 5, past_ns()))
    sides.door.silent = True
    async with sides.copying(timeout_s=0.3) as copier:
        await sides.database.wait_applied(["trades"])
        async with asyncio.timeout(5):
            with pytest.raises(CopyUnavailable, match="does not answer"):
                await copier.round()


async def test_what_is_too_large_goes_in_halves(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 100, past_ns()))
    sides.door.only_small = 16
    async with sides.copying() as copier:
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert theirs == ours


async def test_point_that_is_not_taken_is_counted_and_the_others_arrive_and_it_is_tried_again_at_the_next_start(
    sides: Sides,
) -> None:
    await sides.writer.write(trades_of(sides.venue, 9_001, 200, past_ns()))
    sides.door.poison = b'trade_id="9033"'
    async with sides.copying(bucket=sides.venue) as copier:
        await sides.rounds(copier)
        ours, theirs = await sides.compared()
        assert [row["seq"] for row in ours if row not in theirs] == [9033]
        sent = sides.door.requests
        await sides.rounds(copier)
        assert sides.door.requests == sent, "not again and again"
        assert await sides.refused(copier) == 1
    sides.door.poison = b""
    async with sides.copying(bucket=sides.venue) as started_again:
        await sides.rounds(started_again)
        assert await sides.refused(started_again) == 0
    ours, theirs = await sides.compared()
    assert theirs == ours


async def test_target_that_refuses_everything_is_not_asked_for_every_point(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 3_000, past_ns(400)))
    sides.door.poison = sides.venue.encode()
    async with sides.copying(bucket=sides.venue) as copier:
        await sides.rounds(copier)
        assert await sides.refused(copier) >= 3_000
    assert sides.door.refused < 1_000, "one by one would be 6,000; what others left in this time splits batches too"
    sides.door.poison = b""
    async with sides.copying(bucket=sides.venue) as started_again:
        await sides.rounds(started_again)
    ours, theirs = await sides.compared()
    assert theirs == ours


async def test_wrong_token_is_told_by_a_state_and_a_right_one_is_taken_up(
    sides: Sides, questdb_config: DatabaseConfig
) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 30, past_ns()))
    wrong = settings_of(sides.door, token=SecretStr("admin:wrong-word"))
    context = ServiceContext(AresConfig(database=questdb_config, influx=wrong), SystemClock(), "test")
    async with running(InfluxCopy(context)) as service:
        async with asyncio.timeout(10):
            while "does not let us in" not in service.health().detail:
                await asyncio.sleep(0.05)
        assert not service.health().ready
        assert "influx.token" in service.health().detail
        assert "wrong-word" not in service.health().detail
        service.reconfigure(AresConfig(database=questdb_config, influx=settings_of(sides.door)))
        async with asyncio.timeout(20):
            while not service.health().ready:
                await asyncio.sleep(0.05)
    ours, theirs = await sides.compared()
    assert len(theirs) == 30
    assert theirs == ours


async def test_target_that_is_down_holds_up_nobody_and_gets_everything_once_it_is_back(
    sides: Sides, questdb_config: DatabaseConfig
) -> None:
    later = free_port()
    door = Door(sides.door.upstream, url=f"http://127.0.0.1:{later}")
    await sides.writer.write(trades_of(sides.venue, 1, 40, past_ns()))
    context = ServiceContext(AresConfig(database=questdb_config, influx=settings_of(door)), SystemClock(), "test")
    async with running(INFLUX.build(context)) as service:
        async with asyncio.timeout(10):
            while "does not answer" not in service.health().detail:
                await asyncio.sleep(0.05)
        await sides.writer.write(trades_of(sides.venue, 41, 40, past_ns()))
        async with served(door, later), asyncio.timeout(20):
            while not service.health().ready:
                await asyncio.sleep(0.05)
    ours, theirs = await sides.compared()
    assert len(ours) == 80
    assert theirs == ours


async def test_kill_of_the_service_at_any_moment_loses_nothing_and_doubles_nothing(
    sides: Sides, questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 6_000, past_ns(300)))
    settings = settings_of(sides.door)
    own = tmp_path / "own.toml"
    own.write_text(
        f"[environment]\nstate_dir = '{tmp_path}'\n"
        f"[database]\nhttp_port = {questdb_config.http_port}\npg_port = {questdb_config.pg_port}\n"
        f"[monitoring]\nport_base = 0\n"
        f"[influx]\nurl = '{sides.door.url}'\nbucket = 'killed'\ntoken = 'admin:quest'\nauth = 'basic'\n"
        "tables = ['trades']\n"
        f"since = {settings.since}\nsettle_s = 0.1\nbatch_rows_max = 50\nqueue_rows_max = 500\n".replace("+00:00", "Z"),
        encoding="utf-8",
    )
    variables = {**os.environ, "ARES_CONFIG": str(own)}
    for kills in range(1, 4):
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ares.cli", "service", "run", "influx",
            cwd=ROOT, env=variables, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        before = sides.door.requests
        async with asyncio.timeout(30):
            while sides.door.requests < before + 7 * kills and process.returncode is None:
                await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        await process.wait()
    async with sides.copying(bucket="killed", since=settings.since) as copier:
        await sides.rounds(copier)
    ours, theirs = await sides.compared()
    assert len(ours) == 6_000
    assert theirs == ours


async def test_without_a_target_the_service_says_what_to_set(questdb_config: DatabaseConfig) -> None:
    with pytest.raises(ConfigError, match=r"influx\.url"):
        create(ServiceContext(AresConfig(database=questdb_config), SystemClock(), "test"))


async def test_no_such_bucket_is_a_denial(sides: Sides) -> None:
    await sides.writer.write(trades_of(sides.venue, 1, 3, past_ns()))
    sides.door.status = 404
    async with sides.copying() as copier:
        await sides.database.wait_applied(["trades"])
        with pytest.raises(CopyDenied, match="bucket 'copy'"):
            await copier.round()


async def test_rows_of_before_since_stay_here(sides: Sides) -> None:
    await sides.writer.write(
        [*trades_of(sides.venue, 1, 5, past_ns() - DAY_NS), *trades_of(sides.venue, 6, 5, past_ns())]
    )
    async with sides.copying() as copier:
        await sides.rounds(copier)
    _, theirs = await sides.compared()
    assert [row["seq"] for row in theirs] == [6, 7, 8, 9, 10]
