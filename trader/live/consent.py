"""Asking for real money, agreeing to it and taking it back, as the control port takes it: recorded like any command."""

from __future__ import annotations

import asyncio

from ares.clock import Clock
from ares.control import Json
from ares.errors import UsageError
from trader.command_log import Command, CommandLog, Order, Outcome
from trader.execution.state import TradingStates
from trader.live.agreements import Agreement
from trader.live.gate import Gate
from trader.live.settings import Terms
from trader.risk import TradingState


class Consent:
    """What two people say of the terms that this trader would trade. Every method raises `ControlUnavailable`."""

    def __init__(self, gate: Gate, states: TradingStates, record: CommandLog, clock: Clock) -> None:
        self._gate = gate
        self._states = states
        self._record = record
        self._clock = clock

    async def shown(self) -> dict[str, Json]:
        """The terms and how far the agreement is; `terms` null: no money is at stake, nothing has to be agreed to."""
        return _shown(self._gate.terms, await asyncio.to_thread(self._gate.agreements.current))

    async def request(self, order: Order) -> Outcome:
        """Ask for the terms of the settings. Raises `UsageError` where no money is at stake."""

        async def work(_: str) -> Outcome:
            terms = self._terms()
            return _shown(terms, await asyncio.to_thread(self._gate.agreements.request, terms, *_said(order)))

        return await self._record.recorded(Command("live_request", order), work)

    async def approve(self, order: Order, digest: str) -> Outcome:
        """Agree to what somebody else asked for; `digest` names the terms that were read. Raises `UsageError`."""

        async def work(_: str) -> Outcome:
            terms = self._terms()
            if digest != terms.digest:
                way_out = f"those of the settings are {terms.digest}. Read them, and say which you agree to"
                raise UsageError(f"terms = {digest!r}: {way_out}")
            return _shown(terms, await asyncio.to_thread(self._gate.agreements.approve, terms, *_said(order)))

        return await self._record.recorded(Command("live_approve", order, {"terms": digest}), work)

    async def withdraw(self, order: Order) -> Outcome:
        """Take it back, and halt."""

        async def work(_: str) -> Outcome:
            agreement = await asyncio.to_thread(self._gate.agreements.withdraw, *_said(order))
            await self._states.change(TradingState.HALTED, order.actor, order.reason, self._clock.now_ns())
            return {**_shown(self._gate.terms, agreement), "trading": TradingState.HALTED.value}

        return await self._record.recorded(Command("live_withdraw", order), work)

    def _terms(self) -> Terms:
        if self._gate.terms is None:
            raise UsageError("trading.venue: no money is at stake, nothing has to be agreed to. Just trade")
        return self._gate.terms


def _said(order: Order) -> tuple[str, str]:
    if not order.reason.strip():
        raise UsageError("reason = '': it stands in the audit chain. Say why")
    return order.actor, order.reason


def _shown(terms: Terms | None, agreement: Agreement) -> dict[str, Json]:
    return {
        "terms": None if terms is None else {"digest": terms.digest, **terms.as_json()},
        "state": agreement.state,
        "asked_terms": agreement.terms,
        "requested_by": agreement.requested_by,
        "approved_by": agreement.approved_by,
        "holds": terms is None or agreement.covers(terms),
    }
