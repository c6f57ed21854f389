"""Limits that were set while trading goes on: kept in the control store, so that they outlive process and settings."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND, Clock
from ares.control import AuditEntry, ControlStore, Json, once_it_fits, read_on
from ares.errors import UsageError
from ares.events.types import Origin
from ares.telemetry import get_logger
from trader.events import LIMIT_ASKED, LIMIT_SET, REGISTRY, LimitAsked, LimitChange, LimitSet
from trader.risk import LIMITS, Limits
from trader.rows import limit_row

APPROVAL_S_MAX = 86_400
"""What nobody agreed to within a day must be asked for again."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a limit holds: everywhere, or for one strategy, one symbol, or both."""

    name: str
    strategy: str = ""
    symbol: str = ""

    @property
    def is_account(self) -> bool:
        return not (self.strategy or self.symbol)

    def covers(self, strategy: str, symbol: str) -> bool:
        """Whether it holds for an order of this strategy and symbol."""
        return self.strategy in ("", strategy) and self.symbol in ("", symbol)


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit as it was set, and when; or as it was asked for."""

    change: LimitChange
    approved_by: str
    ts_ns: int


class SetLimits:
    """Stream `limits/<account>`. Any process may set them; the leader reads the stream again before each cycle.

    A value for the whole account takes the place of the setting. Values for a strategy or a symbol only ever tighten
    that. With `four_eyes`, whoever raises a limit only asks: it holds once another person approves.
    """

    def __init__(self, control: ControlStore, account: str, clock: Clock, *, four_eyes: bool) -> None:
        self._control = control
        self._account = account
        self._stream = f"limits/{account}"
        self._clock = clock
        self._four_eyes = four_eyes
        self._seq = 0
        self.standing: dict[Scope, Standing] = {}
        self.asked: dict[str, Standing] = {}

    async def refresh(self) -> None:
        """Read what was said since. Raises `ControlUnavailable`."""
        for stored in await read_on(self._control, self._stream, lambda: self._seq):
            match REGISTRY.read(stored).body:
                case LimitAsked(change):
                    self.asked[change.id] = Standing(change, "", stored.ts_ns)
                case LimitSet(change, approved_by):
                    self.asked.pop(change.id, None)
                    scope = scope_of(change)
                    if change.value is None:
                        self.standing.pop(scope, None)
                    else:
                        self.standing[scope] = Standing(change, approved_by, stored.ts_ns)
            self._seq = stored.seq

    def effective(self, configured: Limits, strategy: str = "", symbol: str = "") -> Limits:
        """What holds for an order: what was set for the account or else configured, tightened by what covers it."""
        account: dict[str, Decimal] = {}
        narrower: list[tuple[str, Decimal]] = []
        for scope, standing in self.standing.items():
            value = standing.change.value
            assert value is not None, "what was reset does not stand"
            if scope.is_account:
                account[scope.name] = value
            elif scope.covers(strategy, symbol):
                narrower.append((scope.name, value))
        limits = configured.with_values(account)
        for name, value in narrower:
            limits = limits.tightened({name: value})
        return limits

    async def change(
        self, configured: Limits, scope: Scope, value: Decimal | None, *, actor: str, reason: str
    ) -> tuple[LimitChange, bool]:
        """Set a limit, or with None let the setting hold again; returns the change and whether it holds already.

        Raises `UsageError` for a reset of what was never set.
        """

        async def say() -> tuple[LimitChange, bool]:
            await self.refresh()
            standing = self.standing.get(scope)
            if value is None and standing is None:
                raise UsageError(f"{scope.name}: was not set here, so the setting holds. See ares risk limits")
            if standing is not None and standing.change.value == value:
                return standing.change, True
            before = configured.get(scope.name) if scope.is_account else None
            before = before if standing is None else standing.change.value
            change = LimitChange(
                f"limit-{uuid.uuid4().hex[:16]}", scope.name, scope.strategy, scope.symbol, value, before, actor, reason
            )
            asks = self._four_eyes and _raises(scope, before, value, configured)
            await self._commit(LimitAsked(change) if asks else LimitSet(change, ""), actor)
            return change, not asks

        return await once_it_fits(self._stream, say)

    async def approve(self, configured: Limits, change_id: str, actor: str) -> LimitChange:
        """Agree to what another person asked for. Raises `UsageError` if there is no such thing, or it is too late."""
        await self.refresh()
        asked = self.asked.get(change_id)
        if asked is None:
            raise UsageError(f"id = {change_id}: nothing is asked for under this id. See ares risk limits")
        change = asked.change
        if change.actor == actor:
            raise UsageError(f"actor = {actor}: asked for {change_id}, so another person must approve it")
        if self._clock.now_ns() - asked.ts_ns > APPROVAL_S_MAX * NANOS_PER_SECOND:
            raise UsageError(f"id = {change_id}: was asked for more than a day ago. Ask again with ares risk set")
        scope = scope_of(change)
        standing = self.standing.get(scope)
        now = configured.get(scope.name) if scope.is_account else None
        now = now if standing is None else standing.change.value
        if now != change.before:
            raise UsageError(
                f"id = {change_id}: {change.name} was {_shown(change.before)} when this was asked for and is "
                f"{_shown(now)} now. Ask again with ares risk set"
            )
        await self._commit(LimitSet(change, actor), actor)
        return change

    def is_current(self, standing: Standing) -> bool:
        """Whether what was asked for may still be approved."""
        return self._clock.now_ns() - standing.ts_ns <= APPROVAL_S_MAX * NANOS_PER_SECOND

    async def _commit(self, said: LimitAsked | LimitSet, actor: str) -> None:
        """Append event, row and audit entry in one transaction. Raises `SequenceConflict` if somebody was first."""
        now_ns, change = self._clock.now_ns(), said.change
        origin = Origin(attributes={"account": self._account, "name": change.name})
        new = (
            LIMIT_ASKED.new(said, now_ns, origin)
            if isinstance(said, LimitAsked)
            else LIMIT_SET.new(said, now_ns, origin)
        )
        scope: dict[str, Json] = {"name": change.name, "strategy": change.strategy, "symbol": change.symbol}
        entry = AuditEntry(
            writer=f"trader/{self._account}",
            who=actor,
            what="limit_asked" if isinstance(said, LimitAsked) else "limit",
            ts_ns=now_ns,
            before={**scope, "value": _text(change.before)},
            after={**scope, "value": _text(change.value), "id": change.id, "asked_by": change.actor},
            why=change.reason,
        )
        row = limit_row(self._account, said, now_ns, self._seq + 1)
        await asyncio.to_thread(
            self._control.append, self._stream, [new], expected_seq=self._seq, mirror=[row], audit=[entry]
        )
        log.warning("limit_changed", name=change.name, value=_text(change.value), actor=actor, change_id=change.id)
        await self.refresh()


def scope_of(change: LimitChange) -> Scope:
    """Where a change holds."""
    return Scope(change.name, change.strategy, change.symbol)


def _raises(scope: Scope, before: Decimal | None, value: Decimal | None, configured: Limits) -> bool:
    """Whether more would be allowed than is. A narrower scope's first value can only tighten."""
    after = configured.get(scope.name) if value is None and scope.is_account else value
    return before != after and before is not None and LIMITS[scope.name].is_tighter(before, after)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _shown(value: Decimal | None) -> str:
    return "not limited" if value is None else f"{value:f}"
