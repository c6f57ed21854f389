"""Goal: a switch ends with who leads well, or with the way back; who asks may be killed, who is sick is not asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import pytest

from ares.clock import SystemClock
from ares.config.trading import TradingConfig
from ares.errors import UsageError
from ares.service.trader_door import NoTrader
from trader.client import Answer
from trader.handover import switching
from trader.handover.switching import Caller, NotBack, Switching, lost, troubles

CONFIG = TradingConfig(cycle_s=0.01)
WELL: Answer = {"cycles_ok": 0, "cycles_failed": 0, "breakers_open": [], "decided_s": 0.0, "blind": []}


class World:
    """Two traders that do what is asked of them, unless a test says otherwise. `leader` leads and trades."""

    def __init__(self) -> None:
        self.leader = "blue"
        self.before = "green"
        self.dead: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.figures: dict[str, deque[Answer]] = {}
        self.cycles = 0
        self.takes = True
        self.said: list[str] = []

    def told(self, color: str) -> Answer:
        self.cycles += 1
        figures = self.figures.get(color)
        now = {**WELL, "cycles_ok": self.cycles}
        if figures:
            now |= figures.popleft() if len(figures) > 1 else figures[0]
        leads = color == self.leader
        return {
            "color": color,
            "leads": leads,
            "ready": leads,
            "doing": "trading" if leads else "standing by",
            "leader": self.leader,
            "way_back": self.before,
            "wish": None,
            "figures": now,
        }

    def ask(self, color: str, verb: str, body: Mapping[str, str] | None) -> Answer:
        if color in self.dead:
            raise NoTrader(f"{color} is gone")
        if verb == "handover":
            return self.told(color)
        self.asked.append((color, verb))
        if verb == "handover_end":
            assert body is not None
            self.said.append(body["end"])
            return {"noted": True}
        to = color if verb == "switch" else str((body or {})["to"])
        leads = self.leader == to
        if not leads and self.takes:
            self.before, self.leader = self.leader, to
        return {"leads": leads, "handover_id": "" if leads else "h1"}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(switching, "POLL_S", 0.005)
    monkeypatch.setattr(switching, "PATIENCE_S", 0.05)
    return World()


def by(world: World, config: TradingConfig = CONFIG) -> Switching:
    return Switching(
        world.ask, lambda: ["blue", "green"], config, Caller("ada", "release", lambda _: None), SystemClock()
    )


def test_a_switch_to_who_is_well_ends_there(world: World) -> None:
    result = by(world).switch("green", "", 0.05)
    assert (result.leader, result.handover_id, result.trouble) == ("green", "h1", "")
    assert world.said == ["well"]


def test_a_switch_that_is_repeated_only_watches(world: World) -> None:
    world.leader = "green"
    result = by(world).switch("green", "", 0.02)
    assert (result.leader, result.seconds, world.asked) == ("green", 0.0, [("green", "switch")])


@pytest.mark.parametrize(
    ("sick", "words"),
    [
        ({"decided_s": None}, "nothing is decided"),
        ({"decided_s": 99.0}, "nothing was decided for 99 s"),
        ({"breakers_open": ["sim_account"]}, "not called any more: sim_account"),
        ({"blind": ["BTC/USDT: no_quote"]}, "does not see the market: BTC/USDT: no_quote"),
    ],
)
def test_who_is_not_well_is_left_again(world: World, sick: Answer, words: str) -> None:
    world.figures["green"] = deque([sick])
    result = by(world).switch("green", "", 5)
    assert words in result.trouble
    assert (result.leader, world.asked[-1]) == ("blue", ("blue", "handover_end"))
    assert world.said == ["sick"]
    assert result.back_s is not None


def test_a_trouble_of_a_moment_sends_nobody_back(world: World) -> None:
    world.figures["green"] = deque([{"blind": []}, {"blind": ["BTC/USDT: no_quote"]}, {"blind": []}])
    assert by(world).switch("green", "", 0.1).trouble == ""


def test_failed_cycles_count_from_one_look_to_the_next() -> None:
    told = World().told("blue")
    failed: Answer = {**told, "figures": {**WELL, "cycles_failed": 3}}
    assert troubles(failed, told, 1.0) == ["3 cycles failed"]
    assert troubles(failed, failed, 1.0) == []
    assert troubles(None, told, 1.0) == ["it does not answer"]
    assert troubles({**told, "ready": False, "doing": "reconciling"}, None, 1.0) == ["it does not trade: reconciling"]
    assert troubles({**told, "leads": False, "leader": ""}, None, 1.0) == ["it does not lead: nobody does"]
    assert not lost({**told, "leads": False, "leader": ""}, "blue")
    assert lost({**told, "leads": False, "leader": "green"}, "blue")


def test_a_rollback_is_asked_of_the_one_that_shall_lead_however_the_other_is(world: World) -> None:
    world.leader, world.before, world.dead = "green", "blue", {"green"}
    switch = by(world)
    assert switch.way_back() == "blue"
    assert switch.rollback("blue").leader == "blue"
    assert world.asked == [("blue", "rollback")]


def test_a_rollback_takes_another_trader_to_carry_the_wish_if_need_be(world: World) -> None:
    world.leader = "green"

    def ask(color: str, verb: str, body: Mapping[str, str] | None) -> Answer:
        if (color, verb) == ("blue", "rollback"):
            raise NoTrader("its door is in another pod")
        return world.ask(color, verb, body)

    switch = Switching(ask, lambda: ["green"], CONFIG, Caller("ada", "odd", lambda _: None), SystemClock())
    assert switch.rollback("blue").leader == "blue"
    assert world.asked == [("green", "rollback")]


def test_nobody_to_go_back_to_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.dead = {"blue", "green", ""}
    with pytest.raises(UsageError, match="no other trader led before"):
        by(world).way_back()
    with pytest.raises(NoTrader):
        by(world).rollback("blue")
    world.dead, world.takes = set(), False
    monkeypatch.setattr(switching, "BACK_S_MAX", 0.05)
    with pytest.raises(NotBack, match="it did not take the lease"):
        by(world).rollback("green")


def test_a_candidate_that_does_not_take_the_lease_is_given_up_once_its_wish_is_over(world: World) -> None:
    world.takes = False
    result = by(world).switch("green", "", 1)
    assert (result.leader, world.said) == ("blue", ["sick"])
    assert "blue leads" in result.trouble
