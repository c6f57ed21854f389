"""Goal: who subscribes sees what happens soon after it is in the database, and no more than they may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import cast

import aiohttp
import pytest

from analytics.testing import SyntheticMarket
from api.moments import moment_ns
from api.stream.channels import BY_NAME
from api.stream.recent import ROWS_MAX
from ares.clock import NANOS_PER_SECOND, SystemClock, isoformat
from ares.config.settings import DatabaseConfig
from ares.control import Json
from ares.model.row import Row
from ares.security.access.roles import Role, Scope
from ares.security.access.users import By
from ares.store import Database, RowWriter
from tests.api import ACCOUNT, PASSWORD, OpenDoor, config_of, open_door
from tests.integration.test_api import fill

SOON_S = 15.0
Said = dict[str, Json]


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path)) as there:
        yield there


class Reader:
    """A connection, and what it said."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def say(self, **wish: object) -> None:
        await self.socket.send_json(wish)

    async def next(self, *ops: str) -> Said:
        """The next message of a kind; beats of the heart are passed over."""
        async with asyncio.timeout(SOON_S):
            while True:
                said = cast("Said", await self.socket.receive_json())
                if said["op"] in ops:
                    return said

    async def rows(self, count: int) -> list[Said]:
        """So many rows, of however many messages."""
        found: list[Said] = []
        while len(found) < count:
            found += cast("list[Said]", (await self.next("snapshot", "delta"))["rows"])
        return found

    async def closed(self) -> int | None:
        """The code that it is closed with."""
        async with asyncio.timeout(SOON_S):
            while True:
                message = await self.socket.receive()
                if message.type in {aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSING}:
                    return self.socket.close_code


@asynccontextmanager
async def reading(door: OpenDoor, user: str = "") -> AsyncIterator[Reader]:
    headers = {"Authorization": f"Bearer {door.token(user)}"} if user else {}
    address = f"{door.address}/api/v1/stream"
    async with door.http.ws_connect(address, headers=headers, max_msg_size=2**24) as socket:
        yield Reader(socket)


async def test_a_row_is_told_soon_after_it_is_there_and_once(door: OpenDoor, writer: RowWriter, venue: str) -> None:
    market = SyntheticMarket(venue, symbols=("BTC/USDT",))
    async with reading(door, "viewer") as reader:
        await reader.say(op="subscribe", id="t", channel="trades", filters={"venue": venue})
        assert (await reader.next("snapshot"))["rows"] == []
        for number in range(20):
            await writer.write([market.trade("BTC/USDT", SystemClock().now_ns() + number)])
        rows = await reader.rows(20)
        assert len({row["trade_id"] for row in rows}) == 20 == len(rows)
        assert (await reader.next("heartbeat"))["at"]


async def test_a_snapshot_is_what_is_there_and_a_resume_what_came_since(
    door: OpenDoor, writer: RowWriter, venue: str
) -> None:
    market = SyntheticMarket(venue, symbols=("BTC/USDT",))
    async with reading(door, "viewer") as reader:
        await reader.say(op="subscribe", id="t", channel="trades", filters={"venue": venue})
        place = (await reader.next("snapshot"))["place"]
    await writer.write([market.trade("BTC/USDT", SystemClock().now_ns())])
    async with reading(door, "viewer") as reader:
        await reader.say(op="subscribe", id="t", channel="trades", filters={"venue": venue}, since=place)
        assert len(await reader.rows(1)) == 1


async def test_who_comes_back_after_hours_hears_what_still_holds(door: OpenDoor, writer: RowWriter, venue: str) -> None:
    halted_ns = SystemClock().now_ns() - 5_400 * NANOS_PER_SECOND
    symbols = {"account": venue, "state": "HALTED", "actor": "maria"}
    await writer.write([Row("trading_state", halted_ns, symbols, {"seq": 1, "reason": "lost"})])
    async with await Database.connect(door.context.config.database) as database:
        await database.wait_applied(["trading_state"])
    async with reading(door, "viewer") as reader:
        place = isoformat(halted_ns - 1_800 * NANOS_PER_SECOND)
        await reader.say(op="subscribe", id="s", channel="state", filters={"account": venue}, since=place)
        said = await reader.next("snapshot", "delta")
    assert (said["op"], said["lost"]) == ("delta", 0)
    assert [row["state"] for row in cast("list[Said]", said["rows"])] == ["HALTED"]


async def test_who_cannot_be_told_all_since_a_moment_is_told_so_with_a_snapshot(
    door: OpenDoor, writer: RowWriter, venue: str
) -> None:
    market, now_ns = SyntheticMarket(venue, symbols=("BTC/USDT",)), SystemClock().now_ns()
    begin_ns = now_ns - 30 * NANOS_PER_SECOND
    step_ns = 25 * NANOS_PER_SECOND // ROWS_MAX
    await writer.write([market.trade("BTC/USDT", begin_ns + number * step_ns) for number in range(ROWS_MAX + 1)])
    async with await Database.connect(door.context.config.database) as database:
        await database.wait_applied(["trades"])
    async with reading(door, "viewer") as reader:
        for name, since_ns, said in (
            ("all of it", begin_ns + 15 * NANOS_PER_SECOND, ("delta", 0)),
            ("too many", begin_ns - NANOS_PER_SECOND, ("snapshot", 1)),
            ("too old", now_ns - 7_200 * NANOS_PER_SECOND, ("snapshot", 1)),
        ):
            filters = {"venue": venue if name != "too old" else "nowhere"}
            await reader.say(op="subscribe", id=name, channel="trades", filters=filters, since=isoformat(since_ns))
            came = await reader.next("snapshot", "delta")
            assert (came["op"], came["lost"]) == said, name


async def test_rows_that_come_too_many_at_once_are_given_or_counted(
    door: OpenDoor, writer: RowWriter, venue: str
) -> None:
    market, now_ns = SyntheticMarket(venue, symbols=("BTC/USDT",)), SystemClock().now_ns()
    async with reading(door, "viewer") as reader:
        await reader.say(op="subscribe", id="t", channel="trades", filters={"venue": venue})
        await reader.next("snapshot")
        await writer.write([market.trade("BTC/USDT", now_ns + number) for number in range(ROWS_MAX + 1)])
        told = 0
        while told <= ROWS_MAX:
            said = await reader.next("delta")
            told += len(cast("list[Said]", said["rows"])) + cast("int", said["lost"])
    assert told == ROWS_MAX + 1


async def test_a_place_is_before_all_that_may_still_come(door: OpenDoor, venue: str) -> None:
    async with reading(door, "viewer") as reader:
        for channel in ("trades", "bars", "signals", "positions"):
            await reader.say(op="subscribe", id=channel, channel=channel, filters={"venue": venue})
            place = moment_ns("place", str((await reader.next("snapshot"))["place"]))
            assert place <= SystemClock().now_ns() - BY_NAME[channel].late_ns


async def test_who_is_confined_is_told_nothing_beyond_and_a_new_scope_holds_at_once(
    door: OpenDoor, writer: RowWriter, venue: str
) -> None:
    async with reading(door, "of-account") as mine, reading(door, "viewer") as every:
        for reader in (mine, every):
            await reader.say(op="subscribe", id="f", channel="fills", filters={"venue": venue})
            await reader.next("snapshot")
        await writer.write([_now(fill(venue, ACCOUNT, 0)), _now(fill(venue, "spot-2", 1))])
        assert {row["account"] for row in await every.rows(2)} == {ACCOUNT, "spot-2"}
        assert [row["account"] for row in await mine.rows(1)] == [ACCOUNT]
        door.door.users.allow("of-account", Role.TRADER, Scope(frozenset({"spot-2"})), By("test"))
        await asyncio.sleep(2.5)
        await writer.write([_now(fill(venue, ACCOUNT, 2)), _now(fill(venue, "spot-2", 3))])
        assert [row["fill_id"] for row in await mine.rows(1)] == ["f3"]


@pytest.mark.parametrize("how", ["nobody", "forged", "logout"])
async def test_a_connection_of_nobody_any_more_is_closed(door: OpenDoor, how: str) -> None:
    async with reading(door, "viewer" if how == "logout" else "") as reader:
        if how == "forged":
            await reader.say(op="auth", token="x.y.z")
        elif how == "nobody":
            await reader.say(op="subscribe", id="a", channel="trades")
        else:
            await reader.say(op="subscribe", id="a", channel="trades", filters={"venue": "none"})
            await reader.next("snapshot")
            door.door.users.end_sessions("viewer", By("test"))
        assert await reader.closed() == 4401


async def test_a_connection_that_only_listens_stays(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    """What bounds requests that do not come (`api.idle_s_max`) does not bound a WebSocket."""
    async with (
        open_door(config_of(questdb_config, tmp_path, idle_s_max=1.0)) as door,
        reading(door, "viewer") as reader,
    ):
        await reader.say(op="subscribe", id="t", channel="trades")
        await reader.next("snapshot")
        await asyncio.sleep(2.5)
        await reader.say(op="subscribe", id="b", channel="bars")
        assert (await reader.next("snapshot"))["id"] == "b"


async def test_a_wish_that_cannot_be_met_is_an_error_and_the_connection_stays(door: OpenDoor) -> None:
    bad: list[tuple[dict[str, object], str]] = [
        ({"op": "subscribe", "id": "a", "channel": "gossip"}, "channel = 'gossip'"),
        ({"op": "subscribe", "channel": "trades"}, "id = ''"),
        ({"op": "subscribe", "id": "a", "channel": "trades", "since": "yesterday"}, "since = 'yesterday'"),
        ({"op": "subscribe", "id": "a", "channel": "trades", "filters": {"colour": "red"}}, "filters"),
        ({"op": "subscribe", "id": "a", "channel": "events"}, "audit:read is not of viewer"),
        ({"op": "unsubscribe", "id": "a"}, "no such subscription"),
        ({"op": "dance"}, "op"),
        ({"op": "auth", "token": "x" * 5_000}, "characters"),
    ]
    async with reading(door, "viewer") as reader:
        for wish, said in bad:
            await reader.say(**wish)
            assert said in str((await reader.next("error"))["detail"])
        await reader.say(op="auth", token=door.token("viewer"))
        assert (await reader.next("known"))["user"] == "viewer"


@pytest.mark.parametrize("user", ["", "viewer"])
async def test_a_message_that_is_no_text_is_an_error_and_the_connection_stays(door: OpenDoor, user: str) -> None:
    async with reading(door, user) as reader:
        await reader.socket.send_bytes(b'{"op": "subscribe", "id": "a", "channel": "trades"}')
        assert (await reader.next("error"))["code"] == "invalid"
        await reader.say(op="auth", token=door.token("viewer"))
        assert (await reader.next("known"))["user"] == "viewer"


async def test_a_message_is_read_as_far_as_the_console_may_send_and_no_further(door: OpenDoor) -> None:
    async with reading(door) as reader:
        await reader.socket.send_str("x" * 10**6)
        assert (await reader.next("error"))["code"] == "too_long"
        await reader.socket.send_str("x" * 2 * 10**6)
        assert await reader.closed() == 1009


async def test_who_logs_in_by_message_reads_and_unsubscribes(door: OpenDoor) -> None:
    door.add("trader")
    said = await door.ask("/auth/login", method="POST", body={"user": "trader", "password": PASSWORD})
    async with reading(door) as reader:
        await reader.say(op="auth", token=said.json["access_token"])
        assert (await reader.next("known"))["user"] == "trader"
        await reader.say(op="subscribe", id="s", channel="services")
        assert (await reader.next("snapshot"))["id"] == "s"
        await reader.say(op="unsubscribe", id="s")
        assert (await reader.next("unsubscribed"))["id"] == "s"


def _now(row: Row) -> Row:
    return replace(row, ts_ns=SystemClock().now_ns())
