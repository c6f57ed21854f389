"""The order journal: a stream an order in the control store. What is not in it was never asked for.

Stream `order/<account>/<order id>`: `intended` with the whole intent, then one event a step; each is one fsynced
transaction together with its row for QuestDB. Stream `orders_settled/<account>` lists orders that need no more
looking after (final and every fill booked), so that a start reads only the others.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ares.clock import NANOS_PER_SECOND
from ares.control import ControlStore, NewEvent
from ares.errors import SequenceConflict
from ares.events import Event
from ares.model.row import Row
from trader.events import INTENDED, REGISTRY, SETTLED, STEPPED, OrderIntended, OrderSettled, OrderStepped, origin
from trader.execution.tracked import SENT_S
from trader.portfolio.orders import Intent, Order, Step, advance, intended
from trader.rows import order_row

REMEMBERED_MAX = 1_000
"""How many orders are remembered for limits on how often and how soon again."""


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
        self._settled: deque[tuple[int, str]] = deque(maxlen=REMEMBERED_MAX)
        """The newest that `load` found: when, and which order."""

    async def load(self) -> list[Order]:
        """All orders that are not settled, in the order of their intents."""
        return await asyncio.to_thread(self._load)

    async def settled_lately(self, now_ns: int) -> list[Intent]:
        """What was asked for by the newest orders that `load` found to be settled within `SENT_S`."""
        since_ns = now_ns - SENT_S * NANOS_PER_SECOND
        orders = [await self.find(order_id) for settled_ns, order_id in self._settled if settled_ns >= since_ns]
        return [order.intent for order in orders if order is not None]

    async def find(self, order_id: str) -> Order | None:
        """One order, settled or not."""
        return await asyncio.to_thread(self._find, order_id)

    async def intend(self, intent: Intent, mirror: Sequence[Row] = (), fencing: int = 0) -> Order | None:
        """Commit an intent with its rows; None if it stands already: the decision is a repetition.

        `fencing` is the number of the lease under which it is going to be sent.
        """
        order, step = intended(intent)
        whose = origin(intent)
        about = replace(whose, attributes={**whose.attributes, "fencing": str(fencing)})
        event = INTENDED.new(OrderIntended(intent), step.ts_ns, about)
        rows = [*mirror, order_row(order, step)]
        return order if await asyncio.to_thread(self._begun, intent.order_id, event, rows) else None

    def _begun(self, order_id: str, event: NewEvent, rows: Sequence[Row]) -> bool:
        """Whether this is the order's first event; if not, nothing is written."""
        try:
            self._control.append(self._stream(order_id), [event], expected_seq=0, mirror=rows)
        except SequenceConflict:
            return False
        return True

    async def record(self, order: Order, steps: Sequence[Step]) -> Order:
        """Commit steps in one transaction; returns the order after them. Raises `IllegalTransition`."""
        events: list[NewEvent] = []
        rows: list[Row] = []
        after = order
        stream = self._stream(order.intent.order_id)
        for new in steps:
            # Later than the step before, so that the newest row by time is the newest step.
            step = replace(new, ts_ns=max(new.ts_ns, after.changed_at_ns + 1))
            cause = origin(order.intent, f"{stream}@{after.seq}")
            after = advance(after, step)
            events.append(STEPPED[step.event].new(OrderStepped.of(step), step.ts_ns, cause))
            rows.append(order_row(after, step))
        await asyncio.to_thread(self._control.append, stream, events, expected_seq=order.seq, mirror=rows)
        return after

    async def settle(self, order: Order, now_ns: int) -> None:
        """Note that an order needs no more looking after."""
        async with self._settling:
            cause = origin(order.intent, f"{self._stream(order.intent.order_id)}@{order.seq}")
            event = SETTLED.new(OrderSettled(order.intent.order_id), now_ns, cause)
            self._settled_seq = await asyncio.to_thread(
                self._control.append, self._settled_stream, [event], expected_seq=self._settled_seq
            )

    def _load(self) -> list[Order]:
        settled: set[str] = set()
        for stored in self._control.stream(self._settled_stream):
            body = REGISTRY.read(stored).body
            assert isinstance(body, OrderSettled), "nothing else is in this stream"
            settled.add(self._stream(body.order_id))
            self._settled.append((stored.ts_ns, body.order_id))
            self._settled_seq = stored.seq
        streams = [stream for stream in self._control.streams(self._prefix) if stream not in settled]
        orders = [self._replayed(stream) for stream in streams]
        return [order for order in orders if order is not None]

    def _find(self, order_id: str) -> Order | None:
        return self._replayed(self._stream(order_id))

    def _replayed(self, stream: str) -> Order | None:
        """The order of a stream, as it is after its last step."""
        steps = deque(history(REGISTRY.read(stored) for stored in self._control.stream(stream)), maxlen=1)
        return steps[0][0] if steps else None

    def _stream(self, order_id: str) -> str:
        return self._prefix + order_id


def history(events: Iterable[Event]) -> Iterator[tuple[Order, Step]]:
    """An order after each of its steps, from the events of its stream."""
    order: Order | None = None
    for event in events:
        if isinstance(event.body, OrderIntended):
            order, step = intended(event.body.intent)
        else:
            assert order is not None, "the first event of an order holds its intent"
            assert isinstance(event.body, OrderStepped), "the others are its steps"
            step = event.body.step(event.stored.type, event.stored.ts_ns)
            order = advance(order, step)
        yield order, step
