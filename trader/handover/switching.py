"""How people let the other trader lead: ask, wait, watch, and go back by itself if it is not well.

Nothing here decides who leads. Whoever asks may be killed at any moment: the traders end what was begun by themselves,
and asking again goes on with it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from ares.clock import Clock
from ares.config.trading import TradingConfig
from ares.errors import AresError, OperatingError, UsageError
from ares.service.trader_door import NoTrader
from trader.client import Answer
from trader.handover.events import End
from trader.handover.log import DRAIN_S_MAX, KEPT_S

Ask = Callable[[str, str, Mapping[str, str] | None], Answer]
"""Of the trader of a colour a verb, or with a body to do something. Raises `NoTrader`, `UsageError` for a refusal."""
POLL_S = 0.2
BEGIN_S_MAX = 30.0
"""How long reconciling may take who has the lease, before it counts as sick."""
BACK_S_MAX = 60.0
PATIENCE_S = 5.0
"""A trouble that lasts for this long, beside two cycles, is none of the moment."""


class NotSwitched(OperatingError):
    """The trader that was asked to lead does not, and who leads instead."""

    code = "not_switched"


class NotBack(OperatingError):
    """The trader that was to lead again does not, within its bound."""

    code = "not_back"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and why; `say` tells them what happens."""

    actor: str
    reason: str
    say: Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Result:
    """Who leads now. `seconds` from asking until it traded; 0 if it led already. `trouble`: why the other one does not;
    empty if all went well.
    """

    leader: str
    seconds: float
    handover_id: str = ""
    trouble: str = ""
    back_s: float | None = None


class Switching:
    """`ask` reaches the traders that run here."""

    def __init__(
        self,
        ask: Ask,
        colors: Callable[[], list[str]],
        config: TradingConfig,
        caller: Caller,
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._colors = colors
        self._config = config
        self._caller = caller
        self._say = caller.say
        self._clock = clock

    def switch(self, to: str, despite: str, watch_s: float) -> Result:
        """Let `to` lead, watch it, and go back if it is not well.

        Raises `NoTrader` if it does not run here, `UsageError` if it is not fit, `NotSwitched` if another one leads in
        the end, `NotBack` if nobody could be brought to.
        """
        before = self._before(to)
        asked_s = self._clock.monotonic_s()
        answer = self._ask(to, "switch", {**self._signed(), "despite": despite})
        handover_id = str(answer["handover_id"])
        if answer["leads"]:
            self._say(f"{to} leads already")
        else:
            self._say(f"{to} is fit and asked to lead: {handover_id}")
        led = self._until_leads(to, self._config.lease_s + DRAIN_S_MAX + KEPT_S + BEGIN_S_MAX)
        seconds = 0.0 if answer["leads"] else self._clock.monotonic_s() - asked_s
        if led:
            return self._back(to, before, handover_id, led)
        self._say(f"{to} leads and trades, {seconds:.1f} s after it was asked; watched for {watch_s:g} s")
        trouble = self._watched(to, watch_s)
        if trouble:
            return self._back(to, before, handover_id, trouble)
        self._end(to, handover_id, "well", f"watched for {watch_s:g} s")
        return Result(to, seconds, handover_id)

    def rollback(self, to: str) -> Result:
        """Let `to` lead, however it and the one that leads are. Raises `NoTrader`, `NotBack`."""
        asked_s = self._clock.monotonic_s()
        answer = self._asked_back(to)
        if answer["leads"]:
            self._say(f"{to} leads already")
        led = self._until_leads(to, BACK_S_MAX)
        if led:
            raise NotBack(f"to = {to!r}: {led} after {BACK_S_MAX:g} s. See ares deploy status")
        seconds = 0.0 if answer["leads"] else self._clock.monotonic_s() - asked_s
        return Result(to, seconds, str(answer["handover_id"]))

    def told(self, color: str) -> Answer | None:
        """What a trader says of itself; None if it says nothing."""
        try:
            return self._ask(color, "handover", None)
        except AresError:
            return None

    def way_back(self) -> str:
        """The colour that traded before the one that leads now. Raises `UsageError` if there is none."""
        for color in self._colors():
            told = self.told(color)
            if told is not None and told["way_back"]:
                return str(told["way_back"])
        raise UsageError("to = '': no other trader led before, or none answers here. Name it: --to blue")

    def _back(self, to: str, before: str, handover_id: str, trouble: str) -> Result:
        """The automatic way back. Raises `NotSwitched` with who leads, `NotBack`."""
        self._say(f"{to} is not well: {trouble}")
        if not before or before == to:
            raise NotBack(f"to = {to!r}: {trouble}; and no other trader led before. See ares deploy status")
        asked_s = self._clock.monotonic_s()
        back = self.told(before)
        if back is None or not (back["leads"] and back["ready"]):
            self._say(f"going back to {before}")
            self._asked_back(before)
        led = self._until_leads(before, BACK_S_MAX)
        if led:
            raise NotBack(f"to = {before!r}: {led} after {BACK_S_MAX:g} s; {to}: {trouble}. See ares deploy status")
        back_s = self._clock.monotonic_s() - asked_s
        self._end(before, handover_id, "sick", trouble)
        return Result(before, 0.0, handover_id, trouble, back_s)

    def _asked_back(self, to: str) -> Answer:
        """By the one that is to lead; by any other that answers, where that one is on another machine.

        Raises `NoTrader`: nobody lets one lead that runs here and does not answer.
        """
        here = self._colors()
        refused = NoTrader(f"to = {to!r}: no trader answers here")
        for color in [to] if to in here else [*here, ""]:
            try:
                return self._ask(color, "rollback", {**self._signed(), "to": to})
            except NoTrader as error:
                refused = error
        raise refused

    def _before(self, to: str) -> str:
        told = self._ask(to, "handover", None)
        leader = str(told["leader"])
        return leader if leader not in ("", to) else str(told["way_back"])

    def _until_leads(self, color: str, seconds_max: float) -> str:
        """Wait until a trader leads and trades; empty, or what it does instead."""
        deadline_s = self._clock.monotonic_s() + seconds_max
        while True:
            told = self.told(color)
            if told is not None and told["leads"] and told["ready"]:
                return ""
            if told is not None and _given_up(told):
                return f"it did not take the lease while that was kept for it; {told['leader'] or 'nobody'} leads"
            other = self._other_leads(color) if told is None else ""
            if other:
                return f"it does not answer, and {other} leads"
            if self._clock.monotonic_s() > deadline_s:
                return "it does not answer" if told is None else f"it does not trade: {told['doing']}"
            time.sleep(POLL_S)

    def _other_leads(self, color: str) -> str:
        """Another one that trades, while no hand-over to `color` is open."""
        for each in self._colors():
            told = self.told(each) if each != color else None
            if told is not None and told["leads"] and told["ready"] and not _is_open(told, color):
                return each
        return ""

    def _watched(self, color: str, watch_s: float) -> str:
        """Look at its figures for so long; empty, or the trouble that lasted."""
        patience_s = PATIENCE_S + 2 * self._config.cycle_s
        began_s, well_s = self._clock.monotonic_s(), self._clock.monotonic_s()
        first = last = self.told(color)
        while True:
            now = self.told(color)
            found = troubles(now, last or first, self._config.cycle_s)
            now_s = self._clock.monotonic_s()
            if not found:
                well_s = now_s
            if lost(now, color):
                return found[0]
            if now_s - well_s > patience_s:
                return "; ".join(found)
            enough = now is not None and first is not None and _cycles(now) > _cycles(first)
            if now_s - began_s >= watch_s and not found and enough:
                return ""
            if now_s - began_s >= watch_s + patience_s:
                return "; ".join(found) or "no cycle was completed"
            last = now or last
            time.sleep(POLL_S)

    def _end(self, color: str, handover_id: str, end: End, reason: str) -> None:
        """Note it; what cannot be noted changes nothing."""
        if handover_id:
            body = {"actor": self._caller.actor, "reason": reason[:200], "handover_id": handover_id, "end": end}
            try:
                self._ask(color, "handover_end", body)
            except AresError as error:
                self._say(f"its end could not be noted: {error}")

    def _signed(self) -> dict[str, str]:
        return {"actor": self._caller.actor, "reason": self._caller.reason}


def troubles(now: Answer | None, last: Answer | None, cycle_s: float) -> list[str]:
    """What is wrong with who leads, by what it says of itself now and said before. Pure."""
    if now is None:
        return ["it does not answer"]
    if not now["leads"]:
        return [f"it does not lead: {now['leader'] or 'nobody'} does"]
    if not now["ready"]:
        return [f"it does not trade: {now['doing']}"]
    figures, found = _figures(now), []
    failed = cast("int", figures["cycles_failed"]) - (
        0 if last is None else cast("int", _figures(last)["cycles_failed"])
    )
    if failed > 0:
        found.append(f"{failed} cycles failed")
    if figures["breakers_open"]:
        found.append(f"not called any more: {', '.join(cast('list[str]', figures['breakers_open']))}")
    decided_s = cast("float | None", figures["decided_s"])
    if decided_s is None or decided_s > 3 * cycle_s + PATIENCE_S:
        found.append("nothing is decided" if decided_s is None else f"nothing was decided for {decided_s:.0f} s")
    if figures["blind"]:
        found.append(f"it does not see the market: {', '.join(cast('list[str]', figures['blind']))}")
    return found


def lost(now: Answer | None, color: str) -> bool:
    """Whether another one leads instead."""
    return now is not None and not now["leads"] and now["leader"] not in ("", color)


def _given_up(told: Answer) -> bool:
    """Whether somebody else leads, and the wish for this one is not open any more."""
    wish = cast("Answer | None", told["wish"])
    led_by_other = told["leader"] not in ("", told["color"])
    return led_by_other and not (wish is not None and wish["open"] and wish["to"] == told["color"])


def _is_open(told: Answer, to: str) -> bool:
    wish = cast("Answer | None", told["wish"])
    return wish is not None and bool(wish["open"]) and wish["to"] == to


def _figures(told: Answer) -> Answer:
    return cast("Answer", told["figures"])


def _cycles(told: Answer) -> int:
    return cast("int", _figures(told)["cycles_ok"])
