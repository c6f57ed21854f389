"""The event log on its way to QuestDB: every event a row of `events`, in the order of commits."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from ares.control import ControlStore, StoredEvent
from ares.control.types import OutboxRow
from ares.model.row import Row

CURSOR = "questdb_events"


class EventFeed:
    """What `ares.control.mirror.Mirror` carries: the log itself, so that what was logged before is carried too."""

    name = CURSOR

    def __init__(self, control: ControlStore) -> None:
        self._control = control

    def next(self, after_seq: int, rows_max: int) -> Sequence[OutboxRow]:
        """The rows of the next events; their positions are the feed's sequence."""
        return [OutboxRow(event.position, event_row(event)) for event in self._control.log(after_seq, rows_max)]

    def passed(self, seq: int) -> None:
        """Events are kept for ever."""


def event_row(event: StoredEvent) -> Row:
    """An event as the row that analysts read."""
    return Row(
        "events",
        event.ts_ns,
        {"category": event.category, "type": event.type},
        {
            "stream": event.stream,
            "seq": event.seq,
            "position": event.position,
            "version": event.version,
            "correlation_id": event.correlation_id,
            "causation_id": event.causation_id,
            "attributes": as_text(event.attributes),
            "payload": as_text(event.payload),
        },
    )


def as_text(value: object) -> str:
    """JSON in a column; the same value always gives the same text."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
