"""What happens to a version of a model: it is registered, refused, made candidate, challenger or champion, and ended.

Stream `model/NAME`; the table `model_events` is its projection.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ares.config import AresConfig
from ares.control import StoredEvent
from ares.events import Event, EventRegistry, EventType
from ares.events.projection import Projection
from ares.model.row import Row
from ares.store import load_queries

CATEGORY = "model"
Step = Literal["registered", "refused", "candidate", "challenger", "champion", "demoted", "rolled_back"]


@dataclass(frozen=True, slots=True)
class Staged:
    """A step in a version's life. `rolled_back` names the version that is champion again; run_id is the registry's."""

    model: str
    version: str
    event: str
    reason: str
    who: str
    run_id: str


STAGED = EventType(
    "model",
    "staged",
    Staged("direction", "20260301T120000.123", "champion", "passed the gate", "operator", "0123456789abcdef"),
)
TYPES = (STAGED,)
REGISTRY = EventRegistry(TYPES)


@dataclass(slots=True)
class Standing:
    """Where the versions of a model stand. `champions`: those a rollback can go back to, the newest last."""

    champions: list[str] = field(default_factory=list)
    challenger: str | None = None
    stages: dict[str, str] = field(default_factory=dict)
    run_ids: dict[str, str] = field(default_factory=dict)

    @property
    def champion(self) -> str | None:
        """The version in use."""
        return self.champions[-1] if self.champions else None


def standing_of(events: Iterable[StoredEvent]) -> Standing:
    """Where the steps of a stream lead."""
    found = Standing()
    for stored in events:
        said = REGISTRY.read(stored).body
        assert isinstance(said, Staged), "nothing else is in this stream"
        if said.event == "champion":
            found.champions.append(said.version)
        elif said.event == "rolled_back":
            while found.champions and found.champions[-1] != said.version:
                found.champions.pop()
            found.champions = found.champions or [said.version]
        if said.event == "challenger":
            found.challenger = said.version
        elif found.challenger == said.version and said.event != "registered":
            found.challenger = None
        if said.event != "registered" or said.version not in found.stages:
            found.stages[said.version] = said.event
        found.run_ids[said.version] = said.run_id or found.run_ids.get(said.version, "")
    return found


def event_row(said: Staged, ts_ns: int, seq: int) -> Row:
    """A step as analysts see it."""
    symbols = {"model": said.model, "version": said.version, "event": said.event, "who": said.who}
    return Row("model_events", ts_ns, symbols, {"seq": seq, "reason": said.reason, "run_id": said.run_id})


class ModelEventsProjection:
    """The table `model_events`."""

    name = "model_events"
    categories: Sequence[str] = (CATEGORY,)
    live: Mapping[str, str] = load_queries("analytics", "queries/model_events_live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            assert isinstance(event.body, Staged), "nothing else is in this stream"
            yield event_row(event.body, event.stored.ts_ns, event.stored.seq)


def projections(_: AresConfig) -> Sequence[Projection]:
    """What steps of models are projected to."""
    return [ModelEventsProjection()]
