"""Goal: one answer tells why an order is there and what came of it, to who may see it and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import cast

import pytest

from api.way import Kind
from ares.clock import NANOS_PER_MILLI, SystemClock
from ares.config.settings import DatabaseConfig
from ares.control import ControlStore, Json
from ares.model.row import Row, UtcNs
from ares.security.access.roles import Permission, Role, Scope
from ares.security.access.users import By, KeyWish
from ares.store import Database, RowWriter
from tests.api import PASSWORD, OpenDoor, config_of, open_door
from tests.integration.test_trader_explain import ADA, KNOWN, MODEL, bought
from tests.integration.test_trader_views import BTC, MOMENTUM, a_trader, write_outbox
from trader.manual_words import Wish
from trader.reader import MarketSeen, QuoteSeen
from trader.testing import PaperVenue, StaticReader

CLOCK = SystemClock()


@pytest.fixture
async def door(questdb_config: DatabaseConfig, tmp_path: Path) -> AsyncIterator[OpenDoor]:
    async with open_door(config_of(questdb_config, tmp_path / "door")) as there:
        yield there


def steps(said: dict[str, Json]) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", said["steps"])


def fields(said: dict[str, Json], kind: Kind) -> dict[str, Json]:
    return cast("dict[str, Json]", next(step for step in steps(said) if step["kind"] == kind)["fields"])


def missing(said: dict[str, Json]) -> dict[str, str]:
    return {each["kind"]: each["why"] for each in cast("list[dict[str, str]]", said["missing"])}


async def test_everything_that_led_to_an_order_is_told_in_time_order(
    door: OpenDoor, control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    trader, order_id = await bought(control, venue, writer, database, MODEL)
    decided = (await door.ask("/decisions", "viewer", account=venue)).json
    decision = cast("list[dict[str, Json]]", decided["data"])[0]
    refused = {"account": venue, "venue": venue, "symbol": BTC, "strategy": MOMENTUM, "action": "refuse"}
    columns = {
        "cycle_id": "before",
        "version": 1,
        "signal_ts": UtcNs(trader.cycle.newest[0].signal_ts_ns or 0),
        "observed": Decimal("7"),
        "limit_value": Decimal("5"),
        "reason": "refused",
    }
    known_ns = trader.cycle.newest[0].signal_known_at_ns or 0
    symbols = {**refused, "rule": "OrderRateLimit", "unit": "orders"}
    await writer.write([Row("decisions", known_ns + NANOS_PER_MILLI, symbols, columns)])
    await database.wait_applied(["decisions"])

    answer = await door.ask(f"/orders/{order_id}/explanation", "viewer")
    said = answer.json
    assert answer.status == 200, said
    kinds = [str(step["kind"]) for step in steps(said)]
    assert kinds[:7] == ["tick", "bar", "feature", "prediction", "signal", "refusal", "decision"]
    assert set(kinds[7:]) == {"order", "fill"}
    moments = [str(step["ts"]) for step in steps(said)]
    assert moments == sorted(moments)
    assert missing(said) == {}
    assert (said["order_id"], said["account"], said["state"]) == (order_id, venue, "FILLED")
    assert said["correlation_id"] == decision["correlation_id"] == fields(said, Kind.FILL)["correlation_id"]
    assert fields(said, Kind.DECISION) == decision
    assert fields(said, Kind.FEATURE)["value"] == 0.25, "the later revision was not known then"
    assert fields(said, Kind.SIGNAL)["model_version"] == MODEL
    assert fields(said, Kind.PREDICTION)["score"] == 0.6
    assert fields(said, Kind.TICK)["trade_id"] == "2"
    assert next(step["text"] for step in steps(said) if step["kind"] == "refusal") == (
        "OrderRateLimit: 7.0000000000 where 5.0000000000 orders is the limit"
    )
    events = cast("list[dict[str, Json]]", (await door.ask("/order-events", "viewer", order_id=order_id)).json["data"])
    told = [step["fields"] for step in steps(said) if step["kind"] == "order"]
    assert told == events[::-1]


async def test_an_order_by_hand_tells_who_ordered_it_and_what_it_does_not_rest_on(
    door: OpenDoor, control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    mark = Decimal(50_000)
    paper = PaperVenue(CLOCK, {BTC: mark}, {"USDT": Decimal(20_000), "BTC": Decimal("0.02")})
    seen = MarketSeen(quotes={BTC: QuoteSeen(mark, mark, CLOCK.now_ns())}, trades={BTC: mark})
    trader = await a_trader(control, venue, paper, StaticReader(seen))
    await trader.cycle.run()
    sent = await trader.commander.order(ADA, Wish(BTC, "buy", Decimal("0.01"), key=venue))
    await write_outbox(control, writer, database)
    await database.wait_applied([*KNOWN, "commands"])
    said = (await door.ask(f"/orders/{sent['order_id']}/explanation", "viewer")).json
    commands = [step for step in steps(said) if step["kind"] == "command"]
    assert [step["text"] for step in commands] == ["order by ada: received", "order by ada: done"]
    assert {missing(said)[kind] for kind in ("tick", "feature", "signal")} == {
        "none: an order by hand or of a flatten rests on no signal"
    }
    assert fields(said, Kind.DECISION)["client_order_id"] == sent["order_id"]
    order_id = str(sent["order_id"])

    door.door.users.add("here", Role.TRADER, Scope(frozenset({venue}), frozenset({"manual"})), PASSWORD, By("test"))
    door.door.users.add("elsewhere", Role.TRADER, Scope(frozenset({"other"})), PASSWORD, By("test"))
    door.door.users.add("other-strategy", Role.TRADER, Scope(strategies=frozenset({MOMENTUM})), PASSWORD, By("test"))
    assert (await door.ask(f"/orders/{order_id}/explanation", "here")).json["steps"] == said["steps"]
    unknown = await door.ask("/orders/nothing/explanation", "here")
    assert (unknown.status, unknown.json["code"]) == (404, "unknown_name")
    for user in ("elsewhere", "other-strategy", "of-nothing"):
        foreign = await door.ask(f"/orders/{order_id}/explanation", user)
        assert foreign.status == 404
        assert foreign.body.decode().replace(order_id, "nothing") == unknown.body.decode()


async def test_a_key_is_told_the_kinds_that_it_may_see_and_that_others_are_not_shown(
    door: OpenDoor, control: ControlStore, venue: str, writer: RowWriter, database: Database
) -> None:
    _, order_id = await bought(control, venue, writer, database, None)
    door.add("viewer")
    key = door.door.users.make_key("viewer", KeyWish("bot", frozenset({Permission.READ_TRADING})), By("test"))
    said = (await door.ask(f"/orders/{order_id}/explanation", headers={"Authorization": f"Bearer {key}"})).json
    assert {str(step["kind"]) for step in steps(said)} == {"decision", "order", "fill"}
    assert missing(said)["tick"] == "not shown: market:read is not of whoever asks"
    assert missing(said)["signal"] == "not shown: research:read is not of whoever asks"
    assert missing(said)["prediction"] == "none: the strategy uses no model"
