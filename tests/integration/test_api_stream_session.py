"""Goal: one connection: what fails is said and leaves nothing behind, and a renewed token is the one that counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import cast

import orjson
import pytest

from api.stream.callers import Callers
from api.stream.feed import QUERIES, Feed
from api.stream.recent import Recent
from api.stream.session import Common, StreamSession
from ares.clock import SystemClock
from ares.control import Json
from ares.errors import AccessDenied, StoreRejected
from ares.model.row import Row
from ares.security.access.door import Caller
from ares.security.access.roles import Role, Scope, permissions_of
from ares.store import Database, Param, RowWriter
from ares.store.pool import Record
from tests.api import ACCOUNT
from tests.integration.test_api import fill
from tests.integration.test_api_stream_feed import signal

SOON_S = 15.0
Said = dict[str, Json]
Known = Callable[[str], Caller]


def caller(user: str) -> Caller:
    return Caller(user=user, role=Role.VIEWER, permissions=permissions_of(Role.VIEWER), scope=Scope())


class Line:
    """A connection in memory."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[str | None] = asyncio.Queue()
        self.came: asyncio.Queue[Said] = asyncio.Queue()

    async def receive_text(self) -> str | None:
        return await self.sent.get()

    async def send_text(self, message: str) -> None:
        self.came.put_nowait(cast("Said", orjson.loads(message)))

    def say(self, **wish: object) -> None:
        self.sent.put_nowait(orjson.dumps(wish).decode())

    async def next(self, *ops: str) -> Said:
        """The next message; beats of the heart are passed over. Of these kinds, it must be."""
        async with asyncio.timeout(SOON_S):
            while (said := await self.came.get())["op"] == "heartbeat":
                pass
        assert said["op"] in ops, said
        return said


class Questions:
    """What a database is asked. Statements that hold a word fail while it is away."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.away = ""
        self.of_a_venue: StoreRejected | asyncio.Event | None = None
        self.rounds = 0
        fetch = database.fetch

        async def asked(sql: str, params: Mapping[str, Param] | None = None) -> list[Record]:
            self.rounds += sql == QUERIES["applied"]
            if self.away and self.away in sql:
                raise StoreRejected("no memory")
            if self.of_a_venue is not None and params and params.get("venue"):
                if isinstance(self.of_a_venue, StoreRejected):
                    raise self.of_a_venue
                await self.of_a_venue.wait()
            return await fetch(sql, params)

        monkeypatch.setattr(database, "fetch", asked)


@pytest.fixture
def questions(database: Database, monkeypatch: pytest.MonkeyPatch) -> Questions:
    return Questions(database, monkeypatch)


@pytest.fixture
async def common(database: Database) -> AsyncIterator[Common]:
    """What connections have in common; whoever shows a token is the user of that name."""
    async with having(database, caller) as there:
        yield there


@asynccontextmanager
async def having(database: Database, known: Known) -> AsyncIterator[Common]:
    clock = SystemClock()
    feed = Feed(database, clock)
    running = asyncio.create_task(feed.run())
    try:
        yield Common(clock, Callers(known, clock), feed, Recent(database, clock))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def connected(common: Common, token: str = "maria") -> AsyncIterator[Line]:
    line = Line()
    serving = asyncio.create_task(StreamSession(common, line, token).serve())
    try:
        yield line
        assert not serving.done(), serving.exception()
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_channel_that_cannot_be_read_is_said_once_and_others_go_on(
    common: Common, questions: Questions, writer: RowWriter, venue: str
) -> None:
    def news(number: int) -> list[Row]:
        now_ns = SystemClock().now_ns()
        return [
            signal(venue, "BTC/USDT", now_ns, revision=number),
            replace(fill(venue, ACCOUNT, number), ts_ns=now_ns),
        ]

    async with connected(common) as line:
        for channel in ("signals", "fills"):
            line.say(op="subscribe", id=channel, channel=channel, filters={"venue": venue})
            await line.next("snapshot")
        questions.away = "signals_asof"
        await writer.write(news(0))
        said = [await line.next("error", "delta") for _ in range(2)]
        assert {str(each["id"]): each["op"] for each in said} == {"signals": "error", "fills": "delta"}
        await writer.write(news(1))
        assert (await line.next("delta"))["id"] == "fills"
        await asyncio.sleep(2.5)
        questions.away = ""
        assert (await line.next("delta"))["id"] == "signals"


async def test_a_database_that_is_back_is_told_though_nothing_is_new(
    common: Common, questions: Questions, venue: str
) -> None:
    async with connected(common) as line:
        line.say(op="subscribe", id="f", channel="fills", filters={"venue": venue})
        await line.next("snapshot")
        questions.away = QUERIES["applied"]
        assert (await line.next("error"))["code"] == "store_rejected"
        questions.away = ""
        assert (await line.next("delta"))["rows"] == []


@pytest.mark.parametrize("how", ["it fails", "they hang up"])
async def test_a_subscription_that_comes_to_nothing_is_read_for_no_longer(
    common: Common, questions: Questions, venue: str, how: str
) -> None:
    questions.of_a_venue = StoreRejected("no memory") if how == "it fails" else asyncio.Event()
    async with connected(common) as line:
        line.say(op="subscribe", id="f", channel="fills", filters={"venue": venue})
        if how == "it fails":
            assert (await line.next("error"))["id"] == "f"
        else:
            async with asyncio.timeout(SOON_S):
                while not questions.rounds:
                    await asyncio.sleep(0.05)
    await asyncio.sleep(0.2)
    before = questions.rounds
    await asyncio.sleep(0.5)
    assert questions.rounds == before


@pytest.mark.parametrize("old", ["still good", "over"])
async def test_a_token_that_was_renewed_while_the_old_one_was_looked_at_is_the_one_that_counts(
    database: Database, old: str
) -> None:
    asked: list[str] = []
    go_on = threading.Event()

    def known(token: str) -> Caller:
        asked.append(token)
        if len(asked) == 2:
            go_on.wait(SOON_S)
            if old == "over":
                raise AccessDenied("token_invalid")
        return caller(token)

    async with having(database, known) as common, connected(common, "before") as line, asyncio.timeout(SOON_S):
        while len(asked) < 2:
            await asyncio.sleep(0.05)
        line.say(op="auth", token="after")
        assert (await line.next("known"))["user"] == "after"
        go_on.set()
        while len(asked) < 5:
            await asyncio.sleep(0.05)
    assert asked == ["before", "before", "after", "after", "after"]
