"""Goal: every route lets in whom its policy names, and nobody else: each role, a stranger, a key, a confined trader."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import APIRouter, FastAPI

from api.policy import Policy, policies
from api.resources import RESOURCES
from ares.config.settings import DatabaseConfig
from ares.control import Json
from ares.security.access.roles import DANGEROUS, KEYLESS, Permission, Role, permissions_of
from ares.security.access.users import By, KeyWish
from tests.api import ACCOUNT, PASSWORD, STRATEGY, OpenDoor, config_of, open_door, operations, with_second_factor
from tests.helpers import ROOT

SAMPLES = {
    "user": "nobody",
    "key": "nothing",
    "session": "nothing",
    "order_id": "o1",
    "strategy": "other",
    "change": "c1",
    "errand": "e1",
    "run_id": "r1",
    "job": "nothing",
    "model": "nothing",
    "target": "5d1e2f3a",
}
FORBIDDEN = {401, 403}
NAMED = re.compile(r"`(GET|POST|PUT|DELETE|PATCH) (?:/api/v1)?(/[^`?]+)")
OF_OTHERS = ("POST /-/", "POST /alerts", "POST /alive", "GET /api/v3/", "GET /config", "POST /predict", "GET /sim/")
"""Routes of the probe port, the control port, the scorer, the simulated exchange and venues."""
REFUSED = {(401, "credentials_missing"), (401, "token_invalid"), (403, "forbidden")}


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path)) as there:
        yield there


async def routes(door: OpenDoor) -> list[tuple[str, str, Policy]]:
    """Method, path with samples in it, and policy of every route."""
    return [
        (each.method, each.path.format(**SAMPLES), Policy(each.permission, public=each.mark == "public"))
        for each in await operations(door)
    ]


def allowed(policy: Policy, role: Role | None) -> bool:
    """Whether somebody of a role (None: a stranger) may come through, wherever the object is."""
    if policy.public or role is None:
        return policy.public
    return policy.permission is None or policy.permission in permissions_of(role)


async def test_every_role_comes_through_exactly_the_routes_that_its_policy_names(door: OpenDoor) -> None:
    every = await routes(door)
    assert len(every) > len(RESOURCES) + 30
    checked = 0
    for method, path, policy in every:
        for role in (None, *Role):
            if path == "/auth/logout":
                continue
            said = await door.ask(path, role.value if role else "", method=method, body={} if method != "GET" else None)
            code = said.json.get("code")
            if policy.permission in DANGEROUS and allowed(policy, role):
                assert (said.status, code) in {(403, "second_factor_old")}, (method, path, role, said.json)
            elif allowed(policy, role):
                assert (said.status, code) not in REFUSED, (method, path, role, said.json)
            else:
                assert said.status in FORBIDDEN, (method, path, role, said.json)
            assert said.status != 500
            checked += 1
    assert checked > 350


async def test_dangerous_things_can_be_done_with_a_second_factor_shown_just_now(door: OpenDoor) -> None:
    with_second_factor(door, "admin")
    body = {"user": "maria", "role": "trader", "password": PASSWORD, "accounts": [ACCOUNT]}
    added = await door.ask("/users", "admin", method="POST", body=body)
    assert (added.status, added.json["accounts"]) == (201, [ACCOUNT])
    assert (await door.ask("/auth/me", "maria")).json["user"] == "maria"
    off = await door.ask("/users/maria/disable", "admin", method="POST", body={"why": "a test"})
    assert (off.status, off.json["enabled"]) == (200, False)
    assert (await door.ask("/auth/me", "maria")).json["code"] == "session_ended"


async def test_a_confined_trader_orders_within_and_not_beyond(door: OpenDoor) -> None:
    wishes: list[tuple[str, str, dict[str, Json], bool]] = [
        ("of-account", "/trading/halt", {}, True),
        ("of-strategy", "/trading/halt", {}, True),
        ("of-nothing", "/trading/halt", {}, False),
        ("of-strategy", "/trading/flatten", {}, False),
        ("of-account", f"/trading/strategies/{STRATEGY}/pause", {}, True),
        ("of-strategy", f"/trading/strategies/{STRATEGY}/pause", {}, True),
        ("of-strategy", "/trading/strategies/other/pause", {}, False),
        ("of-strategy", "/trading/cancel", {}, False),
        ("of-account", "/sql", {"sql": "SELECT 1"}, False),
        ("trader", "/sql", {"sql": "SELECT 1"}, True),
    ]
    for user, path, body, allowed in wishes:
        said = await door.ask(path, user, method="POST", body=body)
        assert (said.status not in FORBIDDEN) is allowed, (user, path, said.json)
        if allowed and path != "/sql":
            assert (said.status, said.json["code"]) == (503, "no_trader")


async def test_a_key_opens_its_part_only_and_nothing_of_its_user(door: OpenDoor) -> None:
    door.add("trader")
    key = door.door.users.make_key("trader", KeyWish("bot", frozenset({Permission.READ_MARKET})), By("test"))
    shown = {"Authorization": f"Bearer {key}"}
    assert (await door.ask("/trades", headers=shown)).status == 200
    assert (await door.ask("/fills", headers=shown)).json["code"] == "forbidden"
    assert (await door.ask("/auth/sessions", headers=shown)).json["code"] == "forbidden"
    everything = permissions_of(Role.TRADER) - KEYLESS
    whole = door.door.users.make_key("trader", KeyWish("all", everything), By("test"))
    for path in ("/trading/resume", "/trading/limits", "/users"):
        said = await door.ask(path, method="POST", body={}, headers={"Authorization": f"Bearer {whole}"})
        assert (said.status, said.json["code"]) == (403, "forbidden")


async def test_tokens_are_refreshed_and_a_logout_holds_at_once(door: OpenDoor) -> None:
    door.add("viewer")
    said = await door.ask("/auth/login", method="POST", body={"user": "viewer", "password": PASSWORD})
    fresh = await door.ask("/auth/refresh", method="POST", body={"refresh_token": said.json["refresh_token"]})
    shown = {"Authorization": f"Bearer {fresh.json['access_token']}"}
    assert (await door.ask("/auth/me", headers=shown)).json["user"] == "viewer"
    assert (await door.ask("/auth/logout", method="POST", headers=shown)).status == 204
    assert (await door.ask("/auth/me", headers=shown)).json["code"] == "session_ended"


async def test_guesses_are_locked_out_and_say_for_how_long(door: OpenDoor) -> None:
    door.add("viewer")
    for _ in range(5):
        wrong = await door.ask("/auth/login", method="POST", body={"user": "viewer", "password": "wrong" * 4})
        assert (wrong.status, wrong.json["code"]) == (401, "credentials_wrong")
    locked = await door.ask("/auth/login", method="POST", body={"user": "viewer", "password": PASSWORD})
    assert (locked.status, locked.json["code"]) == (429, "locked")
    assert 0 < int(locked.headers["Retry-After"]) <= 30


async def test_who_asks_too_often_waits_and_others_do_not(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    async with open_door(config_of(questdb_config, tmp_path, requests_per_minute=10)) as door:
        said = [await door.ask("/auth/me", "viewer") for _ in range(11)]
        assert [each.status for each in said] == [200] * 10 + [429]
        assert int(said[-1].headers["Retry-After"]) >= 1
        assert int(said[0].headers["RateLimit-Remaining"]) == 9
        assert (await door.ask("/auth/me", "trader")).status == 200
    async with open_door(config_of(questdb_config, tmp_path / "2", requests_per_minute_address=5)) as door:
        assert [(await door.ask("/nothing")).status for _ in range(6)] == [404] * 5 + [429]


async def test_where_a_request_comes_from_is_said_by_proxies_that_are_believed_and_by_nobody_else(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    for number, (proxies, believed) in enumerate(
        [((), False), (("10.0.0.0/8",), False), (("10.0.0.0/8", "127.0.0.1"), True), (("127.0.0.0/8",), True)]
    ):
        bounds = {"proxies": proxies, "requests_per_minute_address": 2}
        async with open_door(config_of(questdb_config, tmp_path / str(number), **bounds)) as door:
            said = [
                (await door.ask("/nothing", headers={"X-Forwarded-For": f"192.0.2.{client}"})).status
                for client in (1, 2, 3, 3, 3)
            ]
            assert said == ([404, 404, 404, 404, 429] if believed else [404, 404, 429, 429, 429]), proxies


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    async with open_door(config_of(questdb_config, tmp_path, body_bytes_max=1_000)) as door:
        said = await door.ask("/auth/login", method="POST", body={"user": "x" * 5_000, "password": ""})
        assert (said.status, said.json["code"]) == (413, "too_long")


async def test_a_connection_that_never_ends_its_request_is_closed_and_others_are_answered(
    questdb_config: DatabaseConfig, tmp_path: Path
) -> None:
    async with open_door(config_of(questdb_config, tmp_path, idle_s_max=1.0)) as door:
        host, _, port = door.address.removeprefix("http://").partition(":")
        for said in (b"", b"GET /api/v1/trades HTTP/1.1\r\nHost: x\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(said)
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
        assert (await door.ask("/auth/me", "viewer")).status == 200


async def test_sql_is_read_only_bounded_and_says_what_was_cut(door: OpenDoor) -> None:
    said = await door.ask(
        "/sql", "trader", method="POST", body={"sql": "SELECT x FROM long_sequence(9)", "rows_max": 4}
    )
    assert said.json == {"columns": ["x"], "rows": [[1], [2], [3], [4]], "more": True}
    for sql, status in (
        ("INSERT INTO trades (ts) VALUES (now())", 400),
        ("DROP TABLE trades", 400),
        ("SELECT nothing", 400),
        ("SELECT 1; SELECT 2", 400),
        ("-- nothing", 400),
    ):
        refused = await door.ask("/sql", "trader", method="POST", body={"sql": sql})
        assert refused.status == status, (sql, refused.json)
    assert (await door.ask("/columns", "viewer", limit=1)).status == 200


async def test_a_statement_that_takes_too_long_is_cancelled(questdb_config: DatabaseConfig, tmp_path: Path) -> None:
    async with open_door(config_of(questdb_config, tmp_path, sql_s_max=0.5)) as door:
        sql = "SELECT count() FROM long_sequence(1000000000) WHERE rnd_double() > 2"
        said = await asyncio.wait_for(door.ask("/sql", "trader", method="POST", body={"sql": sql}), 20)
        assert (said.status, said.json["code"]) == (503, "store_unavailable")


async def test_every_route_that_a_guide_names_is_there(door: OpenDoor) -> None:
    there = [(each.method, re.sub(r"\{\w+\}", "[^/]+", each.path)) for each in await operations(door)]
    named = [
        (guide.name, method, path)
        for guide in sorted((ROOT / "docs" / "guides").rglob("*.md"))
        for method, path in NAMED.findall(guide.read_text(encoding="utf-8"))
        if not f"{method} {path}".startswith(OF_OTHERS)
    ]
    assert len(named) > 15
    unknown = [each for each in named if not any(each[1] == m and re.fullmatch(p, each[2]) for m, p in there)]
    assert unknown == []


def test_a_route_without_a_policy_is_not_served() -> None:
    app = FastAPI()
    router = APIRouter(prefix="/api/v1")

    @router.get("/forgotten")
    async def forgotten() -> str:
        return "who may see this?"

    app.include_router(router)
    with pytest.raises(AssertionError, match="forgotten has no policy"):
        list(policies(app))
