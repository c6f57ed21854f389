"""ACTIVE, REDUCING or HALTED: kept in the journal, so that it outlives the process, and shared by all that read it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from prometheus_client import Gauge

from ares.clock import Clock
from ares.control import AuditEntry, ControlStore, once_it_fits, read_on
from ares.events.types import Origin
from ares.service.maintenance import Maintenance
from ares.telemetry import get_logger, metrics
from trader.events import CHANGED, REGISTRY, StateChanged
from trader.risk import TradingState
from trader.rows import state_row

RECONCILE = "reconcile"
"""The actor that may only move between ACTIVE and REDUCING, and only takes back what it said itself."""
HEALTH = "health"
"""The same for what trading needs: the database and the venue."""
RESTORE = "restore"
"""The actor that halts every account of a restored journal."""
GATE = "live"
"""The actor that reduces while what is traded was not agreed to; resuming is a person's to do."""
ALERT = "alert"
RIVAL = "rival"
"""The actor that halts while another journal's trader acts on the account, over what a restore had said."""
DEAD_MAN = "dead_man"

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
        self._unwell: str | None = None

    @property
    def effective(self) -> TradingState:
        """By what orders are judged: while somebody works on the platform nothing new is entered."""
        if self.in_maintenance and self.current.state is TradingState.ACTIVE:
            return TradingState.REDUCING
        return self.current.state

    async def refresh(self) -> StateChange:
        """Read what was said since."""
        for stored in await read_on(self._control, self._stream, lambda: self.current.seq):
            said = REGISTRY.read(stored).body
            assert isinstance(said, StateChanged), "nothing else is in this stream"
            self.current = StateChange(said.state, said.actor, said.reason, stored.ts_ns, stored.seq)
        self.in_maintenance = await asyncio.to_thread(self._maintenance.current) is not None
        for state in TradingState:
            _shown(state).set(1 if state is self.effective else 0)
        return self.current

    async def change(
        self,
        state: TradingState,
        actor: str,
        reason: str,
        now_ns: int,
        only_from: Callable[[StateChange], bool] = lambda _: True,
    ) -> StateChange:
        """Set the state, whatever it was; committed with its row when this returns.

        Who acts by itself says from which states: what somebody else says meanwhile is never overwritten by it.
        """

        async def say() -> StateChange:
            before = await self.refresh()
            same = (before.state, before.actor, before.reason) == (state, actor, reason)
            if same or not only_from(before):
                return before
            await self._append(StateChanged(state, actor, reason), before, now_ns)
            log.warning("trading_state_changed", state=state.value, actor=actor, reason=reason)
            return await self.refresh()

        return await once_it_fits(self._stream, say)

    async def _append(self, said: StateChanged, before: StateChange, now_ns: int) -> None:
        origin = Origin(attributes={"account": self._account, "state": said.state.value})
        entry = AuditEntry(
            writer=f"trader/{self._account}",
            who=said.actor,
            what="trading_state",
            ts_ns=now_ns,
            before={"state": before.state.value, "actor": before.actor},
            after={"state": said.state.value, "actor": said.actor},
            why=said.reason,
        )
        await asyncio.to_thread(
            self._control.append,
            self._stream,
            [CHANGED.new(said, now_ns, origin)],
            expected_seq=before.seq,
            mirror=[state_row(self._account, said, now_ns, before.seq + 1)],
            audit=[entry],
        )

    async def reconciled(self, *, short: str | None, now_ns: int) -> StateChange:
        """What reconciling means: ACTIVE at the first start, REDUCING while coins are missing, never out of HALTED."""
        if short is not None:
            return await self.change(TradingState.REDUCING, RECONCILE, short, now_ns, _may_be_reduced_by_reconcile)
        before = await self.refresh()
        if before.seq == 0:
            return await self.change(TradingState.ACTIVE, RECONCILE, "first start", now_ns, _nothing_said)
        if self._unwell is not None:
            return await self.change(TradingState.REDUCING, HEALTH, self._unwell, now_ns, _reduced_by(RECONCILE))
        reason = "balances and book agree again"
        return await self.change(TradingState.ACTIVE, RECONCILE, reason, now_ns, _reduced_by(RECONCILE))

    async def examined(self, unwell: str | None, now_ns: int) -> StateChange:
        """What the health of database and venue means: REDUCING while one is away for long, then ACTIVE again.

        Only what was ACTIVE is reduced, and only what this reduced is taken back.
        """
        self._unwell = unwell
        if unwell is not None:
            return await self.change(TradingState.REDUCING, HEALTH, unwell, now_ns, _active)
        reason = "database and venue are well again"
        return await self.change(TradingState.ACTIVE, HEALTH, reason, now_ns, _reduced_by(HEALTH))

    async def forbidden(self, obstacle: str, now_ns: int) -> StateChange:
        """What trading with real money that was not agreed to means: it only reduces, until a person resumes.

        Over what the trader reduced by itself, too: when that is over, nobody has agreed yet.
        """
        return await self.change(TradingState.REDUCING, GATE, obstacle, now_ns, _active_or_reduced_by_itself)

    async def alerted(self, state: TradingState, reason: str, now_ns: int) -> StateChange:
        """What an alert means: HALTED, or REDUCING; it never loosens anything, and only a person takes it back."""
        allowed = _not_halted if state is TradingState.HALTED else _active_or_reduced_by_itself
        return await self.change(state, ALERT, reason, now_ns, allowed)

    async def rivalled(self, reason: str, now_ns: int) -> StateChange:
        """What another trader on the account means: HALTED, until a person resumes. What a person said stays."""
        return await self.change(TradingState.HALTED, RIVAL, reason, now_ns, _not_halted_or_restored)


@cache
def _shown(state: TradingState) -> Gauge:
    """Its gauge, from when it was first asked for: a cycle asks several times."""
    return metrics.TRADER_STATE.labels(state.value)


def _nothing_said(before: StateChange) -> bool:
    return before.seq == 0


def _active(before: StateChange) -> bool:
    return before.state is TradingState.ACTIVE


def _not_halted(before: StateChange) -> bool:
    return before.state is not TradingState.HALTED or before.seq == 0


def _not_halted_or_restored(before: StateChange) -> bool:
    return _not_halted(before) or before.actor == RESTORE


def _reduced_by(actor: str) -> Callable[[StateChange], bool]:
    return lambda before: before.state is TradingState.REDUCING and before.actor == actor


def _may_be_reduced_by_reconcile(before: StateChange) -> bool:
    # Over what health said: when that is over, the coins are still missing.
    return _nothing_said(before) or _active(before) or _reduced_by(HEALTH)(before)


def _active_or_reduced_by_itself(before: StateChange) -> bool:
    by_itself = _reduced_by(HEALTH)(before) or _reduced_by(RECONCILE)(before)
    return _active(before) or by_itself
