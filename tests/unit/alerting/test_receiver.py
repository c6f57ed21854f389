"""Goal: alerts become actions once each and bounded, the door opens to its token alone, silence is heard and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from pydantic import SecretStr, ValidationError

from alerting.receiver.actions import AlertActions
from alerting.receiver.dead_man import AGAIN_S, STREAM, DeadMan, DeadManParts
from alerting.receiver.door import ReceiverDoor, words
from alerting.receiver.events import REGISTRY, AlertActed, AlertEnded, AlertFired
from alerting.receiver.journal import ACTIONS, AlertJournal
from alerting.receiver.outside import Messenger, TraderDoor, telegram
from alerting.receiver.service import receiver_token_path, token_of
from ares.config.alerting import AlertingConfig
from ares.control import ControlStore
from ares.model.alerts import AlertTold
from ares.service.trader_door import NoTrader, TraderPlace
from ares.testing.clock import SteppedClock

HALTS, REDUCES = "Drawdown", "ExposureHigh"


def told(name: str, starts_at: str = "2026-11-23T20:00:00Z", *, firing: bool = True) -> AlertTold:
    labels = {"alertname": name, "severity": "page", "team": "trading"}
    notes = {"summary": f"{name} is so", "runbook": f"alerting/runbooks/{name}.md"}
    return AlertTold(firing, labels, notes, f"fp-{name}", starts_at, "2026-11-23T20:10:00Z")


@dataclass
class Trader:
    """What the trader was asked for; `away`: nobody answers."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    away: bool = False

    async def take(self, told: AlertTold, action: str) -> str:
        if self.away:
            raise NoTrader("no trader runs here")
        self.asked.append((told.name, action))
        return {"reduce": "REDUCING"}.get(action, "HALTED")


@pytest.fixture
def clock() -> SteppedClock:
    return SteppedClock(1_795_464_293_000_000_000)


@pytest.fixture
def trader() -> Trader:
    return Trader()


def actions_on(
    control: ControlStore, trader: Trader, clock: SteppedClock, config: AlertingConfig | None = None
) -> AlertActions:
    chosen = AlertingConfig() if config is None else config
    return AlertActions(AlertJournal(control, clock), trader, lambda: chosen, clock)


def acted(control: ControlStore) -> list[AlertActed]:
    found = [REGISTRY.read(each).body for each in control.read(ACTIONS)]
    assert all(isinstance(each, AlertActed) for each in found)
    return [each for each in found if isinstance(each, AlertActed)]


async def test_a_firing_acts_once_however_often_it_is_told_and_over_a_restart(
    control: ControlStore, trader: Trader, clock: SteppedClock
) -> None:
    actions = actions_on(control, trader, clock)
    assert await actions.take([told(HALTS), told("ForPeople")])
    assert await actions.take([told(HALTS)])
    assert await actions_on(control, trader, clock).take([told(HALTS)])
    assert trader.asked == [(HALTS, "halt")]
    assert await actions.take([told(HALTS, "2026-11-23T21:00:00Z")]), "another firing of it"
    assert trader.asked == [(HALTS, "halt")] * 2
    assert [(each.outcome, each.detail) for each in acted(control)] == [("done", "the trader is HALTED")] * 2
    assert [link.writer for link in control.audit_ends()] == ["alerts"]


async def test_alerts_and_their_ends_are_noted_once_and_an_end_undoes_nothing(
    control: ControlStore, trader: Trader, clock: SteppedClock
) -> None:
    actions = actions_on(control, trader, clock)
    for each in (told("ForPeople", firing=False), told("ForPeople"), told("ForPeople")):
        await actions.take([each])
    for _ in range(2):
        await actions.take([told("ForPeople", firing=False)])
    said = [REGISTRY.read(each).body for each in control.read("alert/fp-ForPeople")]
    assert [type(each) for each in said] == [AlertFired, AlertEnded]
    assert (trader.asked, acted(control)) == ([], [])


async def test_what_the_trader_did_not_do_is_told_again_and_tried_again(
    control: ControlStore, trader: Trader, clock: SteppedClock
) -> None:
    actions = actions_on(control, trader, clock)
    trader.away = True
    assert not await actions.take([told(REDUCES)])
    trader.away = False
    assert await actions.take([told(REDUCES)])
    assert trader.asked == [(REDUCES, "reduce")]
    assert [each.outcome for each in acted(control)] == ["failed", "done"]


async def test_beyond_the_limit_one_alert_halts_and_the_next_are_only_noted_until_the_hour_is_over(
    control: ControlStore, trader: Trader, clock: SteppedClock
) -> None:
    actions = actions_on(control, trader, clock, AlertingConfig(actions_per_hour_max=2))
    for number in range(5):
        assert await actions.take([told(REDUCES, f"firing {number}")])
    assert [action for _, action in trader.asked] == ["reduce", "reduce", "halt"]
    assert [each.outcome for each in acted(control)] == ["done", "done", "limited", "refused", "refused"]
    await clock.advance(3_601)
    assert await actions.take([told(REDUCES, "an hour later")])
    assert trader.asked[-1] == (REDUCES, "reduce")


@pytest.fixture
async def door(control: ControlStore, trader: Trader, clock: SteppedClock) -> AsyncIterator[str]:
    dead_man = DeadMan(DeadManParts(control, clock, lambda: 180.0, None))
    opened = ReceiverDoor(actions_on(control, trader, clock), dead_man, "sesame")
    port = await opened.start("127.0.0.1", 0)
    yield f"http://127.0.0.1:{port}"
    await opened.stop()


def body(*alerts: Mapping[str, object]) -> dict[str, object]:
    return {"version": "4", "alerts": [*alerts]}


FIRES = {"status": "firing", "labels": {"alertname": HALTS}, "fingerprint": "f", "startsAt": "s"}


async def test_the_door_opens_to_its_token_and_says_what_is_wrong_with_a_notification(
    door: str, trader: Trader
) -> None:
    bearer = {"Authorization": "Bearer sesame"}
    asked: list[tuple[str, dict[str, str], object, int]] = [
        ("/alerts", {}, body(FIRES), 401),
        ("/watchdog", {"Authorization": "Bearer wrong"}, body(FIRES), 401),
        ("/alerts", bearer, {"alerts": 1}, 400),
        ("/alerts", bearer, body({**FIRES, "fingerprint": ""}), 400),
        ("/watchdog", bearer, body(FIRES), 200),
        ("/telegram", bearer, body(FIRES), 200),
    ]
    async with aiohttp.ClientSession(door) as http:
        for path, headers, given, status in asked:
            async with http.post(path, json=given, headers=headers) as answer:
                assert answer.status == status
        assert trader.asked == []
        trader.away = True
        async with http.post("/alerts", json=body(FIRES), headers=bearer) as answer:
            assert answer.status == 503, "tell me again"
        trader.away = False
        async with http.post("/alerts", json=body(FIRES), headers=bearer) as answer:
            assert (answer.status, await answer.json()) == (200, {"done": True})
    assert trader.asked == [(HALTS, "halt")]


class Listener:
    """Somebody outside who takes JSON; `status`: how it answers."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[str, dict[str, str]]] = []

    async def take(self, request: web.Request) -> web.Response:
        self.heard.append((request.path, await request.json()))
        return web.Response(status=self.status)


@pytest.fixture
async def outside() -> AsyncIterator[tuple[Listener, str]]:
    listener, app = Listener(), web.Application()
    app.router.add_post("/{tail:.*}", listener.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield listener, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def test_silence_is_told_once_and_so_is_its_end_without_any_database(
    control: ControlStore, clock: SteppedClock, outside: tuple[Listener, str]
) -> None:
    listener, url = outside
    dead_man = DeadMan(DeadManParts(control, clock, lambda: 180.0, Messenger("dead man", url, 5.0, clock)))
    await clock.advance(179)
    await dead_man.look()
    assert (dead_man.is_silent, listener.heard) == (False, [])
    await clock.advance(2)
    for _ in range(3):
        await dead_man.look()
    assert [each["status"] for _, each in listener.heard] == ["silent"]
    assert "not heard for 181 s" in listener.heard[0][1]["text"]
    await dead_man.heard()
    await dead_man.look()
    assert [each["status"] for _, each in listener.heard] == ["silent", "ok"]
    assert [each.type for each in control.read(STREAM)] == ["silent", "heard"]


async def test_who_could_not_be_told_of_silence_is_told_later_and_a_store_that_is_away_hinders_nobody(
    control: ControlStore, clock: SteppedClock, outside: tuple[Listener, str]
) -> None:
    listener, url = outside
    control.close()
    dead_man = DeadMan(DeadManParts(control, clock, lambda: 10.0, Messenger("dead man", url, 5.0, clock)))
    listener.status = 404
    await clock.advance(11)
    await dead_man.look()
    await dead_man.look()
    assert len(listener.heard) == 1, "not again at once"
    listener.status = 200
    await clock.advance(AGAIN_S + 1)
    await dead_man.look()
    assert len(listener.heard) == 2


async def test_the_bot_speaks_in_its_chat_and_its_token_stays_out_of_errors(
    clock: SteppedClock, outside: tuple[Listener, str]
) -> None:
    listener, url = outside
    config = AlertingConfig(telegram_token=SecretStr("123:abc"), telegram_chat="-7", telegram_url=url)
    bot = telegram(config, clock)
    assert bot is not None
    await bot.send({"chat_id": "-7", "text": words([told(HALTS), told(REDUCES, firing=False)])})
    path, said = listener.heard[0]
    assert path == "/bot123:abc/sendMessage"
    assert said["text"] == (
        "FIRING page Drawdown: Drawdown is so\nalerting/runbooks/Drawdown.md\n"
        "over page ExposureHigh: ExposureHigh is so"
    )
    assert telegram(AlertingConfig(), clock) is None


async def test_without_a_trader_the_way_out_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoTrader, match="no trader runs here"):
        await TraderDoor(TraderPlace(tmp_path), AlertingConfig).take(told(HALTS), "halt")


def test_the_token_is_made_once_and_private_unless_one_is_configured(tmp_path: Path) -> None:
    first = token_of(AlertingConfig(), tmp_path)
    assert first == token_of(AlertingConfig(), tmp_path)
    assert receiver_token_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert token_of(AlertingConfig(token=SecretStr("mine")), tmp_path) == "mine"


@pytest.mark.parametrize(
    ("given", "words"),
    [({"host": "0.0.0.0"}, "only this machine"), ({"telegram_chat": "-7"}, "belong together")],
)
def test_impossible_settings_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AlertingConfig.model_validate(given)


async def test_two_notifications_at_once_act_once(control: ControlStore, trader: Trader, clock: SteppedClock) -> None:
    opened = ReceiverDoor(
        actions_on(control, trader, clock), DeadMan(DeadManParts(control, clock, lambda: 9.0, None)), "t"
    )
    await asyncio.gather(*(opened._act([told(HALTS)]) for _ in range(3)))
    assert trader.asked == [(HALTS, "halt")]
