"""The order journal: a stream an order in the control store. What is not in it was never asked for.

Stream `order/<account>/<order id>`: `intended` with the whole intent, then one event a step; each is one fsynced
transaction together with its row for QuestDB. Stream `orders_settled/<account>` lists orders that need no more
looking after (final and every fill booked), so that a start reads only the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ares.control import ControlStore, Json, NewEvent, StoredEvent
from ares.errors import SequenceConflict
from ares.model.row import Row
from trader.execution.codec import dump_intent, dump_step, load_intent, load_step
from trader.portfolio.orders import Intent, Order, Step, advance, intended
from trader.rows import order_row


class OrderJournal:
    """Writes are committed when the call returns. Raises `ControlUnavailable`; `SequenceConflict` means that
    somebody else writes our orders, which no caller may survive.
    """

    def __init__(self, control: ControlStore, account: str) -> None:
        self._control = control
        self._prefix = f"order/{account}/"
        self._settled_stream = f"orders_settled/{account}"
        self._settled_seq = 0
        self._settling = asyncio.Lock()

    async def load(self) -> list[Order]:
        """All orders that are not settled, in the order of their intents."""
        return await asyncio.to_thread(self._load)

    async def find(self, order_id: str) -> Order | None:
        """One order, settled or not."""
        return await asyncio.to_thread(self._find, order_id)

    async def intend(self, intent: Intent, mirror: Sequence[Row] = ()) -> Order | None:
        """Commit an intent with its rows; None if it stands already: the decision is a repetition."""
        order, step = intended(intent)
        event = NewEvent(step.event, step.ts_ns, {**dump_step(step), "intent": dump_intent(intent)})
        rows = [*mirror, order_row(order, step)]
        try:
            await asyncio.to_thread(
                self._control.append, self._stream(intent.order_id), [event], expected_seq=0, mirror=rows
            )
        except SequenceConflict:
            return None
        return order

    async def record(self, order: Order, steps: Sequence[Step]) -> Order:
        """Commit steps in one transaction; returns the order after them. Raises `IllegalTransition`."""
        events: list[NewEvent] = []
        rows: list[Row] = []
        after = order
        for new in steps:
            # Later than the step before, so that the newest row by time is the newest step.
            step = replace(new, ts_ns=max(new.ts_ns, after.changed_at_ns + 1))
            after = advance(after, step)
            events.append(NewEvent(step.event, step.ts_ns, dump_step(step)))
            rows.append(order_row(after, step))
        stream = self._stream(order.intent.order_id)
        await asyncio.to_thread(self._control.append, stream, events, expected_seq=order.seq, mirror=rows)
        return after

    async def settle(self, order: Order, now_ns: int) -> None:
        """Note that an order needs no more looking after."""
        async with self._settling:
            event = NewEvent("settled", now_ns, {"order_id": order.intent.order_id})
            self._settled_seq = await asyncio.to_thread(
                self._control.append, self._settled_stream, [event], expected_seq=self._settled_seq
            )

    def _load(self) -> list[Order]:
        events = self._control.read(self._settled_stream)
        self._settled_seq = events[-1].seq if events else 0
        settled = {self._stream(str(event.payload["order_id"])) for event in events}
        streams = [stream for stream in self._control.streams(self._prefix) if stream not in settled]
        return [replay(self._control.read(stream)) for stream in streams]

    def _find(self, order_id: str) -> Order | None:
        events = self._control.read(self._stream(order_id))
        return replay(events) if events else None

    def _stream(self, order_id: str) -> str:
        return self._prefix + order_id


def replay(events: Sequence[StoredEvent]) -> Order:
    """An order from its journal."""
    payload: Json = events[0].payload["intent"]
    assert isinstance(payload, dict), "the first event of an order holds its intent"
    order, _ = intended(load_intent(payload))
    for event in events[1:]:
        order = advance(order, load_step(event.type, event.ts_ns, event.payload))
    return order
