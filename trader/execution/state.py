"""ACTIVE, REDUCING or HALTED: kept in the journal, so that it outlives the process, and shared by all that read it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ares.control import AuditEntry, ControlStore, NewEvent
from ares.errors import SequenceConflict
from ares.model.row import Row
from ares.telemetry import get_logger, metrics
from trader.risk import TradingState

RECONCILE = "reconcile"
"""The actor that may only move between ACTIVE and REDUCING, and only takes back what it said itself."""
TRIES_MAX = 5

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class StateChange:
    """A state, since when, by whom, why. `seq` 0: nobody has said anything yet, and nothing is traded."""

    state: TradingState
    actor: str
    reason: str
    ts_ns: int
    seq: int


NOTHING_SAID = StateChange(TradingState.HALTED, "trader", "never started", 0, 0)


class TradingStates:
    """Stream `trading_state/<account>`. Any process may halt: the leader reads the stream again before it sends."""

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._account = account
        self._stream = f"trading_state/{account}"
        self.current = NOTHING_SAID

    async def refresh(self) -> StateChange:
        """Read what was said since."""
        for event in await asyncio.to_thread(self._control.read, self._stream, self.current.seq):
            state = TradingState(str(event.payload["state"]))
            actor, reason = str(event.payload["actor"]), str(event.payload["reason"])
            self.current = StateChange(state, actor, reason, event.ts_ns, event.seq)
        for state in TradingState:
            metrics.TRADER_STATE.labels(state.value).set(1 if state is self.current.state else 0)
        return self.current

    async def change(self, state: TradingState, actor: str, reason: str, now_ns: int) -> StateChange:
        """Set the state, whatever it was; committed with its row when this returns."""
        for _ in range(TRIES_MAX):
            before = await self.refresh()
            if (before.state, before.actor, before.reason) == (state, actor, reason):
                return before
            event = NewEvent("changed", now_ns, {"state": state.value, "actor": actor, "reason": reason})
            row = Row(
                "trading_state",
                now_ns,
                {"account": self._account, "state": state.value, "actor": actor},
                {"seq": before.seq + 1, "reason": reason},
            )
            entry = AuditEntry(
                writer=f"trader/{self._account}",
                who=actor,
                what="trading_state",
                ts_ns=now_ns,
                before={"state": before.state.value, "actor": before.actor},
                after={"state": state.value, "actor": actor},
                why=reason,
            )
            try:
                await asyncio.to_thread(
                    self._control.append,
                    self._stream,
                    [event],
                    expected_seq=before.seq,
                    mirror=[row],
                    audit=[entry],
                )
            except SequenceConflict:
                continue
            log.warning("trading_state_changed", state=state.value, actor=actor, reason=reason)
            return await self.refresh()
        raise SequenceConflict(f"stream {self._stream} moves faster than it can be written")

    async def reconciled(self, *, short: str | None, now_ns: int) -> StateChange:
        """What reconciling means: ACTIVE at the first start, REDUCING while coins are missing, never out of HALTED."""
        before = await self.refresh()
        if short is not None:
            if before.state is TradingState.ACTIVE or before.seq == 0:
                return await self.change(TradingState.REDUCING, RECONCILE, short, now_ns)
            return before
        if before.seq == 0:
            return await self.change(TradingState.ACTIVE, RECONCILE, "first start", now_ns)
        if before.state is TradingState.REDUCING and before.actor == RECONCILE:
            return await self.change(TradingState.ACTIVE, RECONCILE, "balances and book agree again", now_ns)
        return before
