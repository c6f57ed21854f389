"""Who leads, as typed events: the shapes of what stream `leadership/<account>` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ares.events import EventType
from ares.events.registry import KnownType

Kind = Literal["switch", "rollback"]
End = Literal["well", "sick", "refused"]


@dataclass(frozen=True, slots=True)
class LeadTaken:
    """A trader took the lease: its colour, process and fencing token, its release, the newest migration that it knows,
    and by which settings it trades, secrets left out. `handover_id` is empty where nobody had asked for it.
    """

    color: str
    instance: str
    fencing: int
    release: str
    schema_level: int
    settings: Mapping[str, str]
    handover_id: str


@dataclass(frozen=True, slots=True)
class LeadReady:
    """Who had taken the lease has reconciled with the venue, and trades from now on."""

    color: str
    fencing: int
    after_ms: int


@dataclass(frozen=True, slots=True)
class LeadSettings:
    """Who leads trades by other settings from now on."""

    color: str
    fencing: int
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HandoverAsked:
    """Somebody wants the trader of another colour to lead: it counts until `until_ns`, UTC."""

    handover_id: str
    kind: Kind
    to: str
    actor: str
    reason: str
    until_ns: int


@dataclass(frozen=True, slots=True)
class LeadReleased:
    """Who led lets the asked one lead: at once where nothing of it was on its way any more (`quiet`), else once its
    lease has run out. `after_ms` since it heard of the wish.
    """

    handover_id: str
    color: str
    fencing: int
    to: str
    quiet: bool
    after_ms: int


@dataclass(frozen=True, slots=True)
class HandoverEnded:
    """What became of a hand-over, as whoever watched it says."""

    handover_id: str
    end: End
    actor: str
    reason: str


_ID = "handover-0123456789abcdef"
TAKEN = EventType(
    "leadership",
    "taken",
    LeadTaken("green", "trader-green@host:4711", 7, "0.2.0", 16, {"trading.cycle_s": "5.0"}, _ID),
)
READY = EventType("leadership", "ready", LeadReady("green", 7, 840))
SETTINGS = EventType("leadership", "settings", LeadSettings("green", 7, {"trading.cycle_s": "2.0"}))
ASKED = EventType(
    "leadership",
    "asked",
    HandoverAsked(_ID, "switch", "green", "ada", "release 0.2.0", 1_795_464_323_163_246_859),
)
LET_GO = EventType("leadership", "released", LeadReleased(_ID, "blue", 6, "green", quiet=True, after_ms=310))
ENDED = EventType("leadership", "ended", HandoverEnded(_ID, "well", "ada", "watched for 30 s"))
TYPES: tuple[KnownType, ...] = (TAKEN, READY, SETTINGS, ASKED, LET_GO, ENDED)
