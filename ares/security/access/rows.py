"""The history of users as analysts read it: table `users_history`, without anything secret."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import orjson

from ares.config import AresConfig
from ares.control import Json, NewEvent, StoredEvent
from ares.events import Event
from ares.events.projection import Projection
from ares.model.row import Row
from ares.store import load_queries


def user_row(name: str, seq: int, event: NewEvent | StoredEvent) -> Row:
    """What was said of a user, as a row."""
    return Row(
        "users_history",
        event.ts_ns,
        {"user": name, "what": event.type, "who": str(event.payload.get("who", ""))},
        {"seq": seq, "detail": _text(event.payload)},
    )


class UsersProjection:
    """The table `users_history`."""

    name = "users"
    categories: Sequence[str] = ("user",)
    live: Mapping[str, str] = load_queries("ares.security.access", "users_live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            stored = event.stored
            yield user_row(stored.stream.partition("/")[2], stored.seq, stored)


def projections(_: AresConfig) -> Sequence[Projection]:
    """What users are projected to."""
    return [UsersProjection()]


def _text(payload: Mapping[str, Json]) -> str:
    return orjson.dumps(dict(payload), option=orjson.OPT_SORT_KEYS).decode()
