"""What the receiver notes, as typed events.

Stream `alert/<fingerprint>`: firings and ends of one alert; `alert_action/trader`: what was asked of the trader;
`alert_path/alertmanager`: whether Alertmanager is heard.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ares.events import EventRegistry, EventType
from ares.events.registry import KnownType


class ActionOutcome(StrEnum):
    """What became of an action: `limited` halted instead, `refused` was one too many after that."""

    DONE = "done"
    FAILED = "failed"
    LIMITED = "limited"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class AlertFired:
    """An alert fires. `starts_at` is its source's own text, and names this firing together with the fingerprint."""

    fingerprint: str
    starts_at: str
    name: str
    severity: str
    team: str
    summary: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AlertEnded:
    """A firing is over. What it led to stays: only a person resumes trading."""

    fingerprint: str
    starts_at: str
    ends_at: str
    name: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertActed:
    """The trader was asked for an action because of a firing; `detail` is its state then, or why it was not done."""

    fingerprint: str
    starts_at: str
    name: str
    action: str
    outcome: ActionOutcome
    detail: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PathSilent:
    """Alertmanager's message of being alive has not come for `silent_s` seconds."""

    silent_s: float


@dataclass(frozen=True, slots=True)
class PathHeard:
    """It came again, after `silent_s` seconds."""

    silent_s: float


FIRED = EventType(
    "alert",
    "fired",
    AlertFired(
        "1a30ba71cca2921f",
        "2026-11-23T20:05:03.828Z",
        "Drawdown",
        "page",
        "trading",
        "Account paper is 6 % below its best",
        {"alertname": "Drawdown", "account": "paper"},
    ),
)
ENDED = EventType(
    "alert",
    "ended",
    AlertEnded(
        "1a30ba71cca2921f", "2026-11-23T20:05:03.828Z", "2026-11-23T20:15:03.828Z", "Drawdown", {"account": "paper"}
    ),
)
ACTED = EventType(
    "alert_action",
    "acted",
    AlertActed(
        "1a30ba71cca2921f",
        "2026-11-23T20:05:03.828Z",
        "Drawdown",
        "halt",
        ActionOutcome.DONE,
        "the trader is HALTED",
        {"account": "paper"},
    ),
)
SILENT = EventType("alert_path", "silent", PathSilent(181.5))
HEARD = EventType("alert_path", "heard", PathHeard(240.0))

TYPES: tuple[KnownType, ...] = (FIRED, ENDED, ACTED, SILENT, HEARD)
REGISTRY = EventRegistry(TYPES)
