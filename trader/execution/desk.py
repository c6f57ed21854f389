"""The order desk: every order of the account that is not settled, and the only sender.

An order is sent by the task that calls `send`, and looked after by `follow` until it is final and all its fills are
booked. Nothing is ever sent twice: an order that was (or may have been) sent is only looked up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ares.clock import NANOS_PER_SECOND, Clock
from ares.errors import OrderOutcomeUnknown, VenueError, VenueRejected
from ares.model.row import Row
from ares.resilience import Cache
from ares.telemetry import correlation, get_logger, metrics, observability
from trader.execution.booking import Booking, trace_of
from trader.execution.journal import REMEMBERED_MAX, OrderJournal
from trader.execution.lease import Leadership
from trader.execution.ledger import Ledger
from trader.execution.rests import Rests
from trader.execution.state import TradingStates
from trader.execution.tracked import PROTECTION, Tracked, excludes, pending_of, protects_contract, request_of, sent_of
from trader.portfolio.money import ZERO
from trader.portfolio.orders import (
    AMEND_ASKED,
    STANDING,
    Intent,
    Order,
    OrderReport,
    OrderState,
    Source,
    Step,
    step_for,
)
from trader.portfolio.ways_out import closes_own, only_reduces
from trader.risk import Pending, Sent, TradingState
from trader.venues.gateway import OrderRequest, PairRequest, VenueGateway

LOOKS_MIN = 2
"""Absence counts as evidence only when it was seen this often, the last time after the visibility delay."""

OPEN = {state: metrics.TRADER_ORDERS_OPEN.labels(state.value) for state in OrderState}
log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What the desk works with."""

    gateway: VenueGateway
    journal: OrderJournal
    ledger: Ledger
    states: TradingStates
    rests: Rests
    leadership: Leadership
    clock: Clock
    marks: Cache[str, Decimal]
    visibility_s: float


class OrderDesk:
    """Sends, follows and resolves orders."""

    def __init__(self, parts: DeskParts) -> None:
        self._gateway = parts.gateway
        self._journal = parts.journal
        self._ledger = parts.ledger
        self._states = parts.states
        self._leadership = parts.leadership
        self._clock = parts.clock
        self.booking = Booking(parts.ledger, parts.rests, parts.marks, parts.clock)
        self._visibility_ns = round(parts.visibility_s * NANOS_PER_SECOND)
        self._tracked: dict[str, Tracked] = {}
        self._reserved: dict[str, Intent] = {}
        self._committed: deque[Intent] = deque(maxlen=REMEMBERED_MAX)
        self._following = asyncio.Lock()

    async def load(self) -> None:
        """Take over what the journal says is not settled; what may have been sent before is in doubt."""
        orders = await self._journal.load()
        # Limits on how often and how soon again hold over a restart.
        self._committed.extend(await self._journal.settled_lately(self._clock.now_ns()))
        for order in orders:
            tracked = Tracked(order, doubt_since_ns=self._clock.now_ns())
            self._tracked[order.intent.order_id] = tracked
            self._committed.append(order.intent)
            if order.state in (OrderState.INTENDED, OrderState.SUBMITTED):
                await self._doubt(tracked, "found unfinished at start")
        self._show()

    def orders(self) -> list[Order]:
        """All orders that are not settled."""
        return [tracked.order for tracked in self._tracked.values()]

    def busy(self, symbol: str, strategy: str) -> Order | None:
        """The order that stands in the way of another one for this symbol and strategy; one that protects does not."""
        for order in self.orders():
            if order.intent.key == (symbol, strategy) and order.intent.source != PROTECTION:
                return order
        return None

    def protecting(self, symbol: str, strategy: str, side: str | None = None) -> list[Order]:
        """The orders that protect a position, or may; of one side if asked for."""
        orders = [o for o in self.orders() if o.intent.key == (symbol, strategy) and o.intent.source == PROTECTION]
        return [order for order in orders if side in (None, order.intent.side)]

    @property
    def in_doubt(self) -> bool:
        """Whether some order's outcome is unknown."""
        return any(order.state is OrderState.UNKNOWN for order in self.orders())

    def pending(self, *, without: str = "") -> tuple[Pending, ...]:
        """What may still be executed or booked, at worst case; what is being committed counts already.

        `without`: as if this order were gone.
        """
        found = [(intent, intent.quantity) for intent in self._reserved.values()]
        for order in self.orders():
            if order.intent.order_id == without:
                continue
            unbooked = order.filled_quantity - self._ledger.portfolio.filled(order.intent.order_id)
            found.append((order.intent, order.remaining + max(ZERO, unbooked)))
        return pending_of(found)

    def sent(self, now_ns: int, within_s: int) -> tuple[Sent, ...]:
        """Orders that were committed within these seconds, `SENT_S` at most, or are being; a flatten's too."""
        return sent_of(self._committed, self._reserved.values(), now_ns, within_s)

    async def intend(self, intent: Intent, mirror: Sequence[Row] = ()) -> bool:
        """Commit an intent with its rows; False, and nothing is written, if it must not be.

        That is when another order of the symbol and strategy stands in the way, or when this very order was committed
        before: the decision is a repetition.

        Who checked limits by `pending` and `sent` calls this without waiting for anything in between: it reserves
        before it waits itself, so that no other check passes by the same room.
        """
        return await self._intend([intent], mirror)

    async def intend_pair(self, above: Intent, below: Intent) -> bool:
        """Commit the intents of a pair; False if they must not be, as with `intend`."""
        assert above.list_id == below.list_id != "", "the legs of a pair are of one list"
        return await self._intend([above, below], [])

    async def _intend(self, intents: Sequence[Intent], mirror: Sequence[Row]) -> bool:
        others = [*self._reserved.values(), *(order.intent for order in self.orders())]
        if any(excludes(other, intents[0]) for other in others):
            return False
        self._reserved |= {intent.order_id: intent for intent in intents}
        try:
            for intent in intents:
                order = await self._journal.intend(intent, mirror, self._leadership.fencing)
                if order is None:
                    assert intent is intents[0], "the second leg of a pair is committed after the first"
                    log.warning("order_repeated", order_id=intent.order_id)
                    return False
                self._tracked[intent.order_id] = Tracked(order, unsent=True)
                self._committed.append(intent)
                metrics.TRADER_ORDERS.labels(order.state.value).inc()
        except BaseException:
            for each in intents:  # nobody will send them: what is committed is looked after like what was not seen
                if each.order_id in self._tracked:
                    self._tracked[each.order_id].unsent = False
            raise
        finally:
            for intent in intents:
                del self._reserved[intent.order_id]
        self._show()
        return True

    async def send(self, order_id: str) -> Order:
        """Send an intended order, once; returns it as the venue's answer left it, or UNKNOWN without one."""
        return (await self._send([order_id]))[0]

    async def send_pair(self, above_id: str, below_id: str) -> list[Order]:
        """Send an intended pair, once, in one request; returns its legs as `send` does."""
        return await self._send([above_id, below_id])

    async def _send(self, order_ids: Sequence[str]) -> list[Order]:
        legs = [self._tracked[order_id] for order_id in order_ids]
        for tracked in legs:
            assert tracked.order.state is OrderState.INTENDED, "only what was never sent is sent"
            assert not tracked.sending, "one task sends an order"
            tracked.unsent, tracked.sending = False, True
        intent = legs[0].order.intent
        with correlation(intent.correlation_id):
            try:
                refusal = await self._unfit(intent)
                if refusal is None:
                    await self._submit(legs)
                else:
                    for tracked in legs:
                        await self._record(tracked, [self._step("not_sent", OrderState.CANCELED, refusal)])
            finally:
                for tracked in legs:
                    tracked.sending = False
            for tracked in legs:
                await self._settle(tracked)
        return [tracked.order for tracked in legs]

    async def quiet(self, seconds_max: float) -> bool:
        """Wait until no order is on its way out; False if one still is after `seconds_max`."""
        deadline_s = self._clock.monotonic_s() + seconds_max
        while any(tracked.sending for tracked in self._tracked.values()):
            if self._clock.monotonic_s() >= deadline_s:
                return False
            await self._clock.sleep(0.05)
        return True

    async def follow(self, only: Collection[str] | None = None) -> None:
        """Look at every order once, or at some. Raises nothing of the venue's: what was not seen is seen next time."""
        async with self._following:
            for tracked in list(self._tracked.values()):
                meant = only is None or tracked.order.intent.order_id in only
                if tracked.unsent or tracked.sending or not meant:
                    continue
                with correlation(tracked.order.intent.correlation_id):
                    try:
                        await self._look(tracked)
                        await self._settle(tracked)
                    except VenueError as error:
                        log.warning("order_not_seen", order_id=tracked.order.intent.order_id, cause=str(error))

    async def cancel_open(self, sparing: Container[Source] = (PROTECTION,)) -> int:
        """Ask for the end of what may stand at the venue, but for orders of some sources; returns for how many.

        `follow` sees what came of it. Orders that protect a position stay unless they are meant: they only reduce.
        """
        asked = [order.intent.order_id for order in self.orders() if order.intent.source not in sparing]
        return sum([await self.cancel(order_id) for order_id in asked])

    async def cancel(self, order_id: str) -> bool:
        """Ask for the end of one order; False if it cannot stand at the venue. `follow` sees what came of it."""
        tracked = self._tracked.get(order_id)
        if tracked is None or tracked.unsent or tracked.order.state.final:
            return False
        try:
            await self._gateway.cancel(tracked.order.intent.symbol, order_id)
        except VenueError as error:
            # Also "no such order": a repeated DELETE says so of an order that the first one cancelled.
            log.warning("cancel_unclear", order_id=order_id, cause=str(error))
        return True

    async def amend(self, order_id: str, quantity: Decimal) -> str | None:
        """Ask for less of an order, in base, what was filled included; it keeps its place.

        Returns what speaks against it, as far as anybody said so; None: nothing does. `follow` sees what came of it;
        until then it counts as it was.
        """
        async with self._following:  # nobody else writes a step of it meanwhile
            tracked = self._tracked.get(order_id)
            if tracked is None or tracked.sending or tracked.order.state not in STANDING:
                return "it does not stand any more"
            if not self._leadership.may_send():
                return "the lease would end before the request's recvWindow"
            order = tracked.order
            asked = f"quantity {order.quantity:f} → {quantity:f}"
            await self._record(tracked, [self._step(AMEND_ASKED, order.state, asked)])
        try:
            await self._gateway.amend(order.intent.symbol, order_id, quantity)
        except VenueError as error:
            log.warning("amend_unclear", order_id=order_id, cause=str(error))
            return str(error)
        return None

    async def _unfit(self, intent: Intent) -> str | None:
        """Why an order must not leave now, whatever was true when it was decided."""
        await self._states.refresh()
        state = self._states.effective
        if intent.source != "flatten":
            if state is TradingState.HALTED:
                return "halted before it was sent"
            if state is TradingState.REDUCING and not closes_own(intent, self._ledger.portfolio):
                return "reducing before it was sent"
        if not self._leadership.may_send():
            return "the lease would end before the order's recvWindow"
        return None

    async def _submit(self, legs: Sequence[Tracked]) -> None:
        intent = legs[0].order.intent
        sent_ns = self._clock.now_ns()
        for tracked in legs:
            tracked.doubt_since_ns = sent_ns
        if intent.signal_known_at_ns is not None:
            age_s = (sent_ns - intent.signal_known_at_ns) / NANOS_PER_SECOND
            metrics.SIGNAL_TO_ORDER_SECONDS.observe(max(0.0, age_s))
        submitted = Step("submitted", OrderState.SUBMITTED, sent_ns)
        about = {"symbol": intent.symbol, "strategy": intent.strategy, "order_id": intent.order_id}
        try:
            with observability.track("order.submit", trace_of(intent), **about):
                reports = await self._ask([self._request(tracked.order.intent) for tracked in legs], intent.list_id)
        except VenueRejected as error:
            log.warning("order_rejected", order_id=intent.order_id, cause=str(error))
            for tracked in legs:
                await self._record(tracked, [submitted, self._step("rejected", OrderState.REJECTED, str(error))])
        except VenueError as error:
            # OrderOutcomeUnknown by contract; anything else of a venue's proves as little.
            log.warning("order_outcome_unknown", order_id=intent.order_id, cause=str(error))
            for tracked in legs:
                code = OrderOutcomeUnknown.code
                await self._record(tracked, [submitted, self._step(code, OrderState.UNKNOWN, str(error))])
        else:
            for tracked, report in zip(legs, reports, strict=True):
                await self._record(tracked, [submitted])
                try:
                    await self._take(tracked, report)
                except VenueError as error:
                    # The order is known; what it filled is asked for again by the next look.
                    log.warning("fills_not_seen", order_id=tracked.order.intent.order_id, cause=str(error))

    def _request(self, intent: Intent) -> OrderRequest:
        # Two that protect one position stand side by side, so that each alone would say that it may open.
        reduces = protects_contract(intent) or only_reduces(intent, self._ledger.portfolio, self.orders())
        return request_of(intent, reduce_only=reduces)

    async def _ask(self, requests: Sequence[OrderRequest], list_id: str) -> Sequence[OrderReport]:
        if len(requests) == 1:
            return [await self._gateway.submit(requests[0])]
        return await self._gateway.submit_pair(PairRequest(list_id, *requests))

    async def _look(self, tracked: Tracked) -> None:
        """Ask the venue what became of an order."""
        order = tracked.order
        intent = order.intent
        if order.state.final:
            await self._fetch_fills(tracked)
            return
        if order.state in (OrderState.INTENDED, OrderState.SUBMITTED):
            # The task that sent it is gone (cancelled while it waited): the order may stand.
            await self._doubt(tracked, "the task that sent it was cut off")
        report = await self._gateway.find_order(intent.symbol, client_order_id=intent.order_id)
        if report is None:
            await self._absent(tracked)
        else:
            await self._take(tracked, report)

    async def _take(self, tracked: Tracked, report: OrderReport) -> None:
        """A report becomes fills first, then a step: were we to die between, the next look repeats both."""
        if report.executions:
            await self.booking.book(tracked.order, report.executions)
        step = step_for(tracked.order, report, self._clock.now_ns())
        if step is not None:
            if step.state is OrderState.UNKNOWN:  # it waited for a price and left; what it became is not shown yet
                tracked.doubt_since_ns, tracked.looks = self._clock.now_ns(), 0
            await self._record(tracked, [step])
        await self._fetch_fills(tracked)

    async def _fetch_fills(self, tracked: Tracked) -> None:
        order = tracked.order
        booked = self._ledger.portfolio.filled(order.intent.order_id)
        if order.venue_order_id is not None and booked < order.filled_quantity:
            await self.booking.book(order, await self._gateway.executions_of(order.intent.symbol, order.venue_order_id))

    async def _absent(self, tracked: Tracked) -> None:
        tracked.looks += 1
        order = tracked.order
        if order.state is not OrderState.UNKNOWN:
            # The venue had acknowledged it, so its absence is the venue's confusion, not evidence.
            log.warning("order_vanished", order_id=order.intent.order_id, state=order.state.value)
            return
        old_enough = self._clock.now_ns() - tracked.doubt_since_ns >= self._visibility_ns
        if tracked.looks >= LOOKS_MIN and old_enough:
            reason = f"the venue showed no such order in {tracked.looks} looks"
            await self._record(tracked, [self._step("absent", OrderState.EXPIRED, reason)])

    async def _doubt(self, tracked: Tracked, reason: str) -> None:
        tracked.doubt_since_ns = self._clock.now_ns()
        tracked.looks = 0
        await self._record(tracked, [self._step(OrderOutcomeUnknown.code, OrderState.UNKNOWN, reason)])

    async def _settle(self, tracked: Tracked) -> None:
        """An order needs no more looking after once it is final and all it filled is in the book."""
        order = tracked.order
        if not order.state.final:
            return
        if self._ledger.portfolio.filled(order.intent.order_id) < order.filled_quantity:
            return
        await self._journal.settle(order, self._clock.now_ns())
        self._tracked.pop(order.intent.order_id, None)
        self._show()

    async def _record(self, tracked: Tracked, steps: Sequence[Step]) -> None:
        tracked.order = await self._journal.record(tracked.order, steps)
        for step in steps:
            metrics.TRADER_ORDERS.labels(step.state.value).inc()
        log.info("order_changed", order_id=tracked.order.intent.order_id, state=tracked.order.state.value)
        self._show()

    def _step(self, event: str, state: OrderState, reason: str) -> Step:
        return Step(event, state, self._clock.now_ns(), reason=reason)

    def _show(self) -> None:
        states = [tracked.order.state for tracked in self._tracked.values()]
        for state, gauge in OPEN.items():
            gauge.set(states.count(state))
