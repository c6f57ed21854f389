"""Plans in the control store, so that a restart or another leader goes on where they were."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ares.control import ControlStore, NewEvent
from ares.events.types import Origin
from ares.model.row import Cell, Row
from trader.events import REGISTRY
from trader.plan_events import ENDED, ENDING, STARTED, PlanEnded, PlanEnding, PlanStarted
from trader.portfolio.money import to_scale
from trader.portfolio.plans import FILLED, Plan, Progress, shortfall_bips


@dataclass(frozen=True, slots=True)
class OpenPlan:
    """A plan that did not end; `ending` says why it is about to, empty while it goes on."""

    plan: Plan
    ending: str = ""


class PlanJournal:
    """Stream `plans/<account>`: `started` with the whole plan, `ending` before its last order is cancelled, `ended`
    once none works any more. What a plan's orders did is in the order journal.
    """

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._stream = f"plans/{account}"
        self._seq = 0
        self._writing = asyncio.Lock()
        self._newest: dict[tuple[str, str], Plan] = {}
        self._done: set[str] = set()
        """Those of the newest that were filled whole."""

    async def load(self) -> list[OpenPlan]:
        """What was under way, oldest first. Raises `ControlUnavailable`."""
        return await asyncio.to_thread(self._load)

    def is_over(self, symbol: str, strategy: str, known_at_ns: int) -> bool:
        """Whether the signal that was known then has had a plan that left something undone."""
        newest = self._newest.get((symbol, strategy))
        return newest is not None and known_at_ns <= newest.signal_known_at_ns and newest.plan_id not in self._done

    def newest(self, symbol: str, strategy: str) -> Plan | None:
        """The plan that was started last."""
        return self._newest.get((symbol, strategy))

    def is_newest(self, plan: Plan) -> bool:
        """Whether this very plan was the last to be started: its decision is a repetition."""
        newest = self._newest.get(plan.key)
        return newest is not None and newest.plan_id == plan.plan_id

    async def started(self, plan: Plan, mirror: Sequence[Row]) -> None:
        """Commit a plan with its rows, before any order of it."""
        row = _row(plan, "started", "", plan.decided_at_ns, None)
        await self._append(STARTED.new(PlanStarted(plan), plan.decided_at_ns, _origin(plan)), [*mirror, row])
        self._note(plan)

    async def ending(self, plan: Plan, reason: str, now_ns: int) -> None:
        """Commit that a plan shall end."""
        await self._append(ENDING.new(PlanEnding(plan.plan_id, reason), now_ns, _origin(plan)), [])

    async def ended(self, plan: Plan, reason: str, progress: Progress, now_ns: int) -> None:
        """Commit that a plan is over, with what it did."""
        figures = (progress.orders, progress.filled, progress.cost, shortfall_bips(plan, progress))
        event = ENDED.new(PlanEnded(plan.plan_id, reason, *figures), now_ns, _origin(plan))
        await self._append(event, [_row(plan, "ended", reason, now_ns, progress)])
        if reason == FILLED:
            self._done.add(plan.plan_id)

    async def _append(self, event: NewEvent, rows: Sequence[Row]) -> None:
        async with self._writing:
            self._seq = await asyncio.to_thread(
                self._control.append, self._stream, [event], expected_seq=self._seq, mirror=rows
            )

    def _note(self, plan: Plan) -> None:
        before = self._newest.get(plan.key)
        if before is not None:
            self._done.discard(before.plan_id)
        self._newest[plan.key] = plan

    def _load(self) -> list[OpenPlan]:
        found: dict[str, OpenPlan] = {}
        for stored in self._control.stream(self._stream):
            match REGISTRY.read(stored).body:
                case PlanStarted(plan):
                    found[plan.plan_id] = OpenPlan(plan)
                    self._note(plan)
                case PlanEnding(plan_id, reason):
                    found[plan_id] = OpenPlan(found[plan_id].plan, reason)
                case PlanEnded(plan_id, reason):
                    del found[plan_id]
                    if reason == FILLED:
                        self._done.add(plan_id)
                case _:
                    raise AssertionError("nothing else is in this stream")
            self._seq = stored.seq
        return list(found.values())


def _origin(plan: Plan) -> Origin:
    attributes = {"account": plan.account, "venue": plan.venue, "symbol": plan.symbol, "strategy": plan.strategy}
    return Origin(plan.correlation_id, "", attributes)


def _row(plan: Plan, event: str, reason: str, ts_ns: int, progress: Progress | None) -> Row:
    bips = None if progress is None else shortfall_bips(plan, progress)
    symbols = {
        "account": plan.account,
        "venue": plan.venue,
        "symbol": plan.symbol,
        "strategy": plan.strategy,
        "event": event,
        "policy": plan.policy.name,
        "side": plan.side,
    }
    columns: dict[str, Cell] = {
        "plan_id": plan.plan_id,
        "cycle_id": plan.cycle_id,
        "correlation_id": plan.correlation_id,
        "quantity": to_scale(plan.quantity),
        "mark": to_scale(plan.mark),
        "orders": None if progress is None else progress.orders,
        "filled_quantity": None if progress is None else to_scale(progress.filled),
        "filled_cost": None if progress is None else to_scale(progress.cost),
        "shortfall_bips": None if bips is None else to_scale(bips),
        "reason": reason or None,
    }
    return Row("execution_plans", ts_ns, symbols, columns)
