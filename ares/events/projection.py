"""A projection: the rows that the events of one kind of streams mean, and where they stand in QuestDB."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import metadata
from typing import Protocol

from ares.config import AresConfig
from ares.errors import UnknownName
from ares.events.mirror import event_row
from ares.events.registry import Event
from ares.model.row import Row
from ares.store import load_queries

PROJECTIONS_GROUP = "ares.projections"


class Projection(Protocol):
    """Rows from events. What `fold` keeps in memory is bounded by what one stream is about, not by its length."""

    @property
    def name(self) -> str: ...

    @property
    def categories(self) -> Sequence[str]:
        """The kinds of streams it is made of; none: all."""
        ...

    @property
    def live(self) -> Mapping[str, str]:
        """Table → statement that reads all its columns between %(lo)s and %(hi)s (UTC ns, the end excluded), at most
        %(rows_max)s rows; `ts` and other timestamps as nanoseconds.
        """
        ...

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        """The rows of one stream, given its events in order."""
        ...


Factory = Callable[[AresConfig], Sequence[Projection]]


class EventsProjection:
    """The table `events`: the log as it was mirrored."""

    name = "events"
    categories: Sequence[str] = ()
    live: Mapping[str, str] = load_queries("ares.events", "live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        """Every event is its own row, just as it was written."""
        for event in events:
            yield event_row(event.stored)


def events_projections(_: AresConfig) -> Sequence[Projection]:
    """What the log itself is projected to."""
    return [EventsProjection()]


def installed(config: AresConfig) -> dict[str, Projection]:
    """The projections of all packages by name: entry points of the group `ares.projections`, each a `Factory`."""
    found: dict[str, Projection] = {}
    for point in metadata.entry_points(group=PROJECTIONS_GROUP):
        factory: Factory = point.load()
        for projection in factory(config):
            assert projection.name not in found, f"projection {projection.name} is declared twice"
            found[projection.name] = projection
    return dict(sorted(found.items()))


def chosen(config: AresConfig, names: Sequence[str]) -> list[Projection]:
    """The projections of these names, all if none is named. Raises `UnknownName`."""
    there = installed(config)
    for name in names:
        if name not in there:
            raise UnknownName("projection", name, list(there))
    return [there[name] for name in names] if names else list(there.values())
