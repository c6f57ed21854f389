"""Goal: what takes two people takes two people over HTTP, too, whatever session or key the first one comes with."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from ares.clock import NANOS_PER_SECOND
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, Json
from ares.security.access.door import Origin
from ares.security.access.roles import KEYLESS, Role, Scope, permissions_of
from ares.security.access.users import By, KeyWish
from tests.api import PASSWORD, Asked, OpenDoor, config_of, open_door
from tests.integration.test_trader_control import parts_on
from trader.control_port import ControlPort
from trader.live.settings import Terms
from trader.runtime import Trader

TERMS = Terms("spot-1", "binance", ("signal_momentum 1: 4000",), (("position_quote_max", "5000"),))
WHY = {"reason": "a month on paper went well"}


@pytest.fixture
async def trader(control: ControlStore, tmp_path: Path) -> AsyncIterator[Trader]:
    """One that waits until two people have agreed; it shares its state directory with the door."""
    trader = Trader(replace(parts_on(control, four_eyes=True), terms=TERMS))
    port = ControlPort(trader.commander, tmp_path, "127.0.0.1", 0)
    await port.start()
    yield trader
    await port.stop()


@pytest.fixture
async def door(trader: Trader, questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path)) as there:
        for name in ("alice", "bob"):
            there.door.users.add(name, Role.TRADER, Scope(), PASSWORD, By("test"))
            there.tokens[name], there.tokens[f"{name}-again"] = twice(there, name)
        yield there


def twice(door: OpenDoor, name: str) -> tuple[str, str]:
    """Two sessions of a person who has just shown a second factor in both."""
    uri = door.door.begin_second_factor(name)
    factor = pyotp.TOTP(parse_qs(urlsplit(uri).query)["secret"][0])
    now_s = door.context.clock.now_ns() // NANOS_PER_SECOND
    door.door.confirm_second_factor(name, uri, factor.at(now_s), By(name))
    first, second = (
        door.door.login(name, PASSWORD, factor.at(now_s + after_s), Origin("127.0.0.1")).access for after_s in (0, 30)
    )
    return first, second


async def post(door: OpenDoor, user: str, path: str, **body: str) -> Asked:
    return await door.ask(f"/trading{path}", user, method="POST", body=body)


async def live(door: OpenDoor) -> dict[str, Json]:
    return cast("dict[str, Json]", (await door.ask("/trading/approvals", "viewer")).json["live"])


async def test_going_live_takes_another_person_with_a_second_factor_and_the_very_terms(
    door: OpenDoor, trader: Trader
) -> None:
    assert (await live(door))["state"] == "nothing"
    none = await post(door, "bob", "/live/approve", terms=TERMS.digest, **WHY)
    assert (none.status, "nobody asked for these" in str(none.json["detail"])) == (400, True)
    assert (await post(door, "alice", "/live/request", reason="")).status == 422
    assert (await post(door, "trader", "/live/request", **WHY)).json["code"] == "second_factor_old"
    assert (await post(door, "viewer", "/live/request", **WHY)).json["code"] == "forbidden"

    asked = await post(door, "alice", "/live/request", **WHY)
    assert (asked.status, asked.json["requested_by"], asked.json["holds"]) == (200, "alice", False)
    waiting = await live(door)
    assert (waiting["state"], waiting["requested_by"], waiting["asked_terms"]) == ("requested", "alice", TERMS.digest)
    assert cast("dict[str, Json]", waiting["terms"])["limits"] == {"position_quote_max": "5000"}

    key = door.door.users.make_key("alice", KeyWish("bot", permissions_of(Role.TRADER) - KEYLESS), By("test"))
    door.tokens["key of alice"] = key
    for same in ("alice", "alice-again"):
        alone = await post(door, same, "/live/approve", terms=TERMS.digest, **WHY)
        assert (alone.status, "Another person has to agree" in str(alone.json["detail"])) == (400, True)
    assert (await post(door, "key of alice", "/live/approve", terms=TERMS.digest, **WHY)).json["code"] == "forbidden"
    other = await post(door, "bob", "/live/approve", terms="0" * 16, **WHY)
    assert (other.status, TERMS.digest in str(other.json["detail"])) == (400, True)
    assert await trader.gate.obstacle() is not None

    agreed = await post(door, "bob", "/live/approve", terms=TERMS.digest, reason="limits are right")
    assert (agreed.json["requested_by"], agreed.json["approved_by"], agreed.json["holds"]) == ("alice", "bob", True)
    assert await trader.gate.obstacle() is None

    back = await post(door, "operator", "/live/withdraw", reason="a limit is too high")
    assert (back.status, back.json["trading"], back.json["holds"]) == (200, "HALTED", False)
    assert await trader.gate.obstacle() is not None


async def test_who_asked_for_a_limit_never_approves_it_and_what_waits_is_listed(
    door: OpenDoor, trader: Trader, control: ControlStore
) -> None:
    asked = await post(door, "alice", "/limits", name="leverage_max", value="2", reason="margin")
    assert (asked.status, asked.json["holds"]) == (200, False)
    change = str(asked.json["id"])
    said = (await door.ask("/trading/approvals", "viewer")).json
    (waiting,) = cast("list[dict[str, Json]]", said["limits"])
    assert (waiting["id"], waiting["asked_by"], waiting["value"]) == (change, "alice", "2")
    for same in ("alice", "alice-again"):
        alone = await post(door, same, f"/limits/{change}/approve", **WHY)
        assert (alone.status, "another person must approve it" in str(alone.json["detail"])) == (400, True)
    agreed = await post(door, "bob", f"/limits/{change}/approve", **WHY)
    assert (agreed.status, agreed.json["holds"]) == (200, True)
    assert (await door.ask("/trading/approvals", "viewer")).json["limits"] == []
    assert (await door.ask("/trading/approvals", "of-strategy")).json["code"] == "forbidden"
    said_by = [json.loads(link.text) for link in control.audit_links() if link.writer.startswith("trader/")]
    entries = {(each["who"], each["what"]) for each in said_by}
    assert ("alice", "limit_asked") in entries
    assert ("bob", "limit") in entries
