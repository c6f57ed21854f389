"""Goal: what happens and what is derived can be read over HTTP by who may see it, whole, and by nobody else."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.ipc
import pytest

from analytics.testing import SyntheticMarket
from api.resources import RESOURCES
from ares.clock import DAY_NS, MINUTE_NS, SystemClock, floor_ns, isoformat
from ares.config.settings import DatabaseConfig
from ares.control import Json
from ares.model.row import Row
from ares.store import Database, RowWriter
from tests.api import ACCOUNT, STRATEGY, Asked, OpenDoor, config_of, open_door

T0_NS = floor_ns(SystemClock().now_ns(), MINUTE_NS) - 30 * MINUTE_NS


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path)) as there:
        yield there


def fill(venue: str, account: str, number: int, strategy: str = STRATEGY) -> Row:
    symbols = {
        "account": account, "venue": venue, "symbol": "BTC/USDT", "strategy": strategy, "side": "buy",
        "liquidity": "taker", "fee_currency": "USDT",
    }  # fmt: skip
    columns = {"fill_id": f"f{number}", "order_id": "o1", "quantity": Decimal("0.0150000001"), "price": Decimal(60_000)}
    return Row("fills", T0_NS + number // 3, symbols, columns)


def rows(said: dict[str, Json]) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", said["data"])


async def test_every_collection_is_read_in_every_format(door: OpenDoor) -> None:
    for resource in RESOURCES:
        names = [column.name for column in resource.columns]
        for choice in [{resource.choice: each} for each in resource.statements] if resource.choice else [{}]:

            async def read(accept: str, path: str = resource.path, choice: dict[str, str] = choice) -> Asked:
                said = await door.ask(f"/{path}", "admin", headers={"Accept": accept}, limit=3, **choice)
                assert said.status == 200, (path, said.json)
                return said

            assert all(list(row) == names for row in rows((await read("application/json")).json))
            assert next(csv.reader(io.StringIO((await read("text/csv")).body.decode()))) == names
            arrow = (await read("application/vnd.apache.arrow.stream")).body
            assert pa.ipc.open_stream(arrow).read_all().column_names == names


async def test_pages_give_every_row_once_whatever_shares_a_moment(
    door: OpenDoor, database: Database, writer: RowWriter, venue: str
) -> None:
    await writer.write([fill(venue, ACCOUNT, number) for number in range(20)])
    await database.wait_applied(["fills"])
    found: list[str] = []
    cursor: Json = ""
    while cursor is not None:
        said = await door.ask("/fills", "viewer", venue=venue, limit=4, **({"cursor": str(cursor)} if cursor else {}))
        found += [str(row["fill_id"]) for row in rows(said.json)]
        cursor = said.json["next"]
    assert sorted(found) == sorted(f"f{number}" for number in range(20))
    moments = [str(row["ts"]) for row in rows((await door.ask("/fills", "viewer", venue=venue)).json)]
    assert moments == sorted(moments, reverse=True)


async def test_nothing_is_rounded_on_the_way(door: OpenDoor, database: Database, writer: RowWriter, venue: str) -> None:
    await writer.write([fill(venue, ACCOUNT, 1)])
    await database.wait_applied(["fills"])
    (row,) = rows((await door.ask("/fills", "viewer", venue=venue)).json)
    assert row["quantity"] == "0.0150000001"
    assert row["ts"] == isoformat(T0_NS)
    arrow = await door.ask("/fills", "viewer", headers={"Accept": "application/vnd.apache.arrow.stream"}, venue=venue)
    (exact,) = pa.ipc.open_stream(arrow.body).read_all().select(["ts", "quantity"]).to_pylist()
    assert exact["quantity"] == Decimal("0.0150000001")


async def test_who_is_confined_sees_nothing_beyond(
    door: OpenDoor, database: Database, writer: RowWriter, venue: str
) -> None:
    await writer.write(
        [
            fill(venue, ACCOUNT, 0),
            fill(venue, "spot-2", 1),
            fill(venue, "spotX1", 2),
            fill(venue, "spot-2", 3, "manual"),
        ]
    )
    await database.wait_applied(["fills"])

    async def seen(user: str, **query: str) -> set[str]:
        return {str(row["fill_id"]) for row in rows((await door.ask("/fills", user, venue=venue, **query)).json)}

    assert await seen("viewer") == {"f0", "f1", "f2", "f3"}
    assert await seen("of-account") == {"f0"}
    assert await seen("of-account", account="spot-2") == set()
    assert await seen("of-strategy") == {"f0", "f1", "f2"}
    assert await seen("of-nothing") == set()


async def test_bars_of_a_minute_tell_a_gap(door: OpenDoor, database: Database, writer: RowWriter, venue: str) -> None:
    market = SyntheticMarket(venue, symbols=("BTC/USDT",))
    lost_ns = T0_NS + 3 * MINUTE_NS
    trades = [each for each in market.trades(T0_NS, 6) if not lost_ns <= each.ts_ns < lost_ns + MINUTE_NS]
    await writer.write([*trades, market.gap("BTC/USDT", lost_ns, lost_ns + MINUTE_NS, "detected", 0)])
    await database.wait_applied(["trades", "gaps", "bars_1m"])
    said: dict[str, Json] = {}
    for _ in range(100):
        said = (await door.ask("/bars", "viewer", venue=venue, interval="1m")).json
        if len(rows(said)) >= 5:
            break
    assert {str(row["ts"]): row["status"] for row in rows(said)}[isoformat(lost_ns)] == "gap"


async def test_minutes_of_ages_are_asked_for_in_parts(door: OpenDoor) -> None:
    ages = {"from": isoformat(T0_NS - 32 * DAY_NS), "interval": "1m"}
    refused = await door.ask("/bars", "viewer", **ages)
    assert (refused.status, "interval 1m is read 31 days at once" in str(refused.json["detail"])) == (400, True)
    assert (await door.ask("/bars", "viewer", **ages, to=isoformat(T0_NS - DAY_NS))).status == 200
    assert (await door.ask("/bars", "viewer", **ages | {"interval": "5m"})).status == 200


async def test_nothing_was_yet_where_a_range_begins_after_it_ends(door: OpenDoor) -> None:
    for resource in RESOURCES:
        said = await door.ask(f"/{resource.path}", "admin", **{"from": "7112-06-19T21:26:18.824749Z"})
        assert said.status == 200, (resource.path, said.json)
        if resource.timed:
            assert (rows(said.json), said.json["next"]) == ([], None), resource.path


async def test_what_did_not_change_is_not_sent_again(door: OpenDoor) -> None:
    first = await door.ask("/columns", "viewer", limit=5)
    again = await door.ask("/columns", "viewer", headers={"If-None-Match": first.headers["ETag"]}, limit=5)
    assert (again.status, again.body) == (304, b"")


async def test_bad_filters_are_one_problem_that_names_them(door: OpenDoor) -> None:
    bad: list[tuple[dict[str, str | int], int, str]] = [
        ({"limit": 0}, 422, "query.limit"),
        ({"limit": "many"}, 422, "query.limit"),
        ({"symbol": "x';--"}, 422, "query.symbol"),
        ({"colour": "red"}, 422, "query.colour"),
        ({"from": "yesterday"}, 400, "from = 'yesterday'"),
        ({"from": ""}, 400, "from = ''"),
        ({"to": "2026-13-01T00:00:00Z"}, 400, "to = "),
        ({"cursor": "abc"}, 400, "cursor = 'abc'"),
    ]
    for query, status, said in bad:
        found = await door.ask("/trades", "viewer", **query)
        assert (found.status, found.headers["Content-Type"]) == (status, "application/problem+json")
        assert said in str(found.json["detail"])


async def test_strangers_and_others_roles_are_told_no(door: OpenDoor) -> None:
    stranger = await door.ask("/fills")
    assert (stranger.status, stranger.json["code"]) == (401, "credentials_missing")
    assert stranger.headers["WWW-Authenticate"] == "Bearer"
    forged = await door.ask("/fills", headers={"Authorization": "Bearer x.y.z"})
    assert (forged.status, forged.json["code"]) == (401, "token_invalid")
    viewer = await door.ask("/audit", "viewer")
    assert (viewer.status, viewer.json["code"]) == (403, "forbidden")
    assert (await door.ask("/nothing", "viewer")).status == 404
    assert (await door.ask("/fills", "viewer", method="POST")).status == 405
    wrong = await door.ask("/backtests", "viewer", method="PATCH")
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET, POST"), "a path says what all its routes take"
