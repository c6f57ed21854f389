"""ACTIVE, REDUCING or HALTED: kept in the journal, so that it outlives the process, and shared by all that read it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ares.clock import Clock
from ares.control import AuditEntry, ControlStore
from ares.errors import SequenceConflict
from ares.events.types import Origin
from ares.service.maintenance import Maintenance
from ares.telemetry import get_logger, metrics
from trader.events import CHANGED, REGISTRY, StateChanged
from trader.risk import TradingState
from trader.rows import state_row

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

    def __init__(self, control: ControlStore, account: str, clock: Clock) -> None:
        self._control = control
        self._account = account
        self._stream = f"trading_state/{account}"
        self._maintenance = Maintenance(control, clock)
        self.current = NOTHING_SAID
        self.in_maintenance = False

    @property
    def effective(self) -> TradingState:
        """By what orders are judged: while somebody works on the platform nothing new is entered."""
        if self.in_maintenance and self.current.state is TradingState.ACTIVE:
            return TradingState.REDUCING
        return self.current.state

    async def refresh(self) -> StateChange:
        """Read what was said since."""
        for stored in await asyncio.to_thread(self._control.read, self._stream, self.current.seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, StateChanged), "nothing else is in this stream"
            self.current = StateChange(said.state, said.actor, said.reason, stored.ts_ns, stored.seq)
        self.in_maintenance = await asyncio.to_thread(self._maintenance.current) is not None
        for state in TradingState:
            metrics.TRADER_STATE.labels(state.value).set(1 if state is self.effective else 0)
        return self.current

    async def change(self, state: TradingState, actor: str, reason: str, now_ns: int) -> StateChange:
        """Set the state, whatever it was; committed with its row when this returns."""
        for _ in range(TRIES_MAX):
            before = await self.refresh()
            if (before.state, before.actor, before.reason) == (state, actor, reason):
                return before
            said = StateChanged(state, actor, reason)
            event = CHANGED.new(said, now_ns, Origin(attributes={"account": self._account, "state": state.value}))
            row = state_row(self._account, said, now_ns, before.seq + 1)
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
