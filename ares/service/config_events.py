"""What happens to the settings, as typed events, and the rows that they mean. Stream `config`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from ares.config import AresConfig
from ares.events import Event, EventType
from ares.events.projection import Projection
from ares.model.row import Row
from ares.store import load_queries


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """Settings that hold from then on; secrets are hidden. `changes`: field, before, after of each that differs."""

    cause: str
    instance: str
    fingerprint: str
    changes: list[dict[str, object]]
    settings: dict[str, object]
    why: str = ""


@dataclass(frozen=True, slots=True)
class ConfigRefused:
    """The files said something impossible, and nothing changed."""

    cause: str
    instance: str
    error: str
    changes: list[dict[str, object]] = field(default_factory=list)


_CHANGE: dict[str, object] = {"field": "monitoring.heartbeat_s", "before": 5.0, "after": 1.0}
CHANGED = EventType(
    "config",
    "config_changed",
    ConfigChanged("file", "trader@host:17", "e37770a143f36ced", [_CHANGE], {"monitoring": {"heartbeat_s": 1.0}}),
)
REFUSED = EventType(
    "config", "config_refused", ConfigRefused("file", "trader@host:17", "monitoring.heartbeat_s = -1: too small")
)
TYPES = (CHANGED, REFUSED)


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One entry of the history. `settings` are those that were wanted, secrets hidden; empty for a refused change."""

    version: int
    ts_ns: int
    status: str
    cause: str
    instance: str
    fingerprint: str
    changes: Sequence[Mapping[str, object]] = ()
    error: str = ""
    why: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)


def seen(said: ConfigChanged | ConfigRefused, ts_ns: int, version: int) -> ConfigVersion:
    """What was said, as an entry of the history."""
    match said:
        case ConfigChanged(cause, instance, fingerprint, changes, settings, why):
            return ConfigVersion(
                version, ts_ns, "changed", cause, instance, fingerprint, changes, why=why, settings=settings
            )
        case ConfigRefused(cause, instance, error, changes):
            return ConfigVersion(version, ts_ns, "refused", cause, instance, "", changes, error=error)


def version_of(event: Event) -> ConfigVersion:
    """An event of the stream `config` as an entry of the history."""
    assert isinstance(event.body, ConfigChanged | ConfigRefused), "nothing else is in this stream"
    return seen(event.body, event.stored.ts_ns, event.stored.seq)


def version_row(version: ConfigVersion) -> Row:
    """An entry of the history as the row that analysts read."""
    return Row(
        "config_versions",
        version.ts_ns,
        {"status": version.status, "cause": version.cause, "instance": version.instance},
        {
            "version": version.version,
            "fingerprint": version.fingerprint,
            "changes": orjson.dumps(version.changes).decode(),
            "error": version.error,
            "why": version.why,
            "settings": orjson.dumps(version.settings).decode(),
        },
    )


class ConfigProjection:
    """The table `config_versions`."""

    name = "config"
    categories: Sequence[str] = ("config",)
    live: Mapping[str, str] = load_queries("ares.service", "config_live.sql")

    def fold(self, events: Iterable[Event]) -> Iterator[Row]:
        for event in events:
            yield version_row(version_of(event))


def projections(_: AresConfig) -> Sequence[Projection]:
    """What the history of settings is projected to."""
    return [ConfigProjection()]
