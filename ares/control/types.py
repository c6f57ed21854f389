"""What goes into the control store and comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ares.model.row import Row

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to append; decimals go into the payload as strings."""

    type: str
    ts_ns: int
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event of a stream; `seq` counts from 1 without holes."""

    stream: str
    seq: int
    type: str
    ts_ns: int
    payload: Mapping[str, Json]


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
