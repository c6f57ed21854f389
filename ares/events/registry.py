"""All types of events that the installed packages know, and how a stored event becomes a typed one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Protocol, Self

from ares.control import Json, StoredEvent
from ares.errors import EventUnreadable
from ares.events.types import Payload

EVENTS_GROUP = "ares.events"


class KnownType(Protocol):
    """An `EventType` of whatever struct."""

    @property
    def category(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def full_name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def purpose(self) -> str: ...
    def load(self, payload: Payload, version: int) -> object: ...
    def sample(self) -> dict[str, Json]: ...
    def shape(self) -> Json: ...


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it was stored, and its body as a struct of the newest version of its type."""

    stored: StoredEvent
    body: object


class EventRegistry:
    """Event types by category and name."""

    def __init__(self, types: Iterable[KnownType]) -> None:
        self._types: dict[tuple[str, str], KnownType] = {}
        for each in types:
            place = (each.category, each.name)
            assert place not in self._types, f"{each.full_name} is declared twice"
            self._types[place] = each

    @classmethod
    def installed(cls) -> Self:
        """Those of all packages: entry points of the group `ares.events`, each a sequence of types."""
        points = sorted(metadata.entry_points(group=EVENTS_GROUP), key=lambda point: point.name)
        return cls(each for point in points for each in point.load())

    @property
    def types(self) -> Mapping[str, KnownType]:
        """All of them by their full names, in order."""
        return {each.full_name: each for _, each in sorted(self._types.items())}

    def read(self, stored: StoredEvent) -> Event:
        """The typed event. Raises `EventUnreadable` for a type, a version or a payload that nobody here knows."""
        found = self._types.get((stored.category, stored.type))
        if found is None:
            raise EventUnreadable(f"{stored.id}: no installed package knows {stored.category}.{stored.type}")
        try:
            return Event(stored, found.load(stored.payload, stored.version))
        except EventUnreadable as error:
            raise EventUnreadable(f"{stored.id}: {error}") from None
