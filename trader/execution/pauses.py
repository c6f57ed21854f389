"""Strategies that rest because somebody said so: kept in the journal, so that a rest outlives the process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ares.control import AuditEntry, ControlStore, NewEvent, once_it_fits, read_on
from ares.events.types import Origin
from ares.telemetry import get_logger
from trader.events import PAUSED, REGISTRY, RESUMED, StrategyPaused, StrategyResumed

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pause:
    """Since when a strategy rests, by whom and why."""

    actor: str
    reason: str
    ts_ns: int


class StrategyPauses:
    """Stream `strategy_pause/<account>`. Any process may pause: the leader reads the stream again before it decides."""

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._account = account
        self._stream = f"strategy_pause/{account}"
        self._seq = 0
        self.paused: dict[str, Pause] = {}

    async def refresh(self) -> None:
        """Read what was said since."""
        for stored in await read_on(self._control, self._stream, lambda: self._seq):
            said = REGISTRY.read(stored).body
            if isinstance(said, StrategyPaused):
                self.paused[said.strategy] = Pause(said.actor, said.reason, stored.ts_ns)
            else:
                assert isinstance(said, StrategyResumed), "nothing else is in this stream"
                self.paused.pop(said.strategy, None)
            self._seq = stored.seq

    async def say(self, said: StrategyPaused | StrategyResumed, now_ns: int) -> bool:
        """Let a strategy rest or trade again; False if it did already, and nothing is written."""

        async def once() -> bool:
            await self.refresh()
            rests, shall_rest = said.strategy in self.paused, isinstance(said, StrategyPaused)
            if rests is shall_rest:
                return False
            entry = AuditEntry(
                writer=f"trader/{self._account}",
                who=said.actor,
                what=f"strategy/{said.strategy}",
                ts_ns=now_ns,
                before={"paused": rests},
                after={"paused": shall_rest},
                why=said.reason,
            )
            event = self._event(said, now_ns)
            await asyncio.to_thread(self._control.append, self._stream, [event], expected_seq=self._seq, audit=[entry])
            log.warning("strategy_pause_changed", strategy=said.strategy, paused=shall_rest, actor=said.actor)
            await self.refresh()
            return True

        return await once_it_fits(self._stream, once)

    def _event(self, said: StrategyPaused | StrategyResumed, now_ns: int) -> NewEvent:
        origin = Origin(attributes={"account": self._account, "strategy": said.strategy})
        if isinstance(said, StrategyPaused):
            return PAUSED.new(said, now_ns, origin)
        return RESUMED.new(said, now_ns, origin)
