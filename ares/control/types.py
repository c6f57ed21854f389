"""What goes into the control store and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ares.model.row import Row

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append; decimals go into the payload as strings.

    `version` says of which shape the payload is. `correlation_id` names the piece of work it belongs to,
    `causation_id` the event that led to it. `attributes` are what subscribers filter by.
    """

    type: str
    ts_ns: int
    payload: Mapping[str, Json]
    version: int = 1
    correlation_id: str = ""
    causation_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a stream, as it was written. `seq` counts a stream from 1 without holes; `position` only grows,
    over all streams, in the order of commits.
    """

    position: int
    stream: str
    seq: int
    type: str
    version: int
    ts_ns: int
    payload: Mapping[str, Json]
    correlation_id: str = ""
    causation_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What other events name as their cause."""
        return f"{self.stream}@{self.seq}"

    @property
    def category(self) -> str:
        """The kind of stream: its name up to the first slash."""
        return self.stream.partition("/")[0]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a subscriber could not take. `position`: its place in the subscriber's feed; `content`: it, as JSON."""

    subscription: str
    position: int
    ts_ns: int
    error: str
    content: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to act under a name until `expires_at_ns`; `token` grows with every new holder (a fencing token)."""

    name: str
    holder: str
    token: int
    expires_at_ns: int


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """A row on its way to QuestDB; `seq` is the order of commits."""

    seq: int
    row: Row
