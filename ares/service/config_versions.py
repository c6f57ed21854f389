"""What was configured when: every change of the settings, and every refused one, is an event and a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import orjson

from ares.clock import Clock
from ares.config import AresConfig
from ares.config.changes import fingerprint, leaves_that_differ, shown
from ares.control import AuditEntry, ControlStore, Json, NewEvent, StoredEvent
from ares.errors import SequenceConflict, UnknownName
from ares.model.row import Row

STREAM = "config"
CHANGED = "config_changed"
REFUSED = "config_refused"
TRIES_MAX = 20


@dataclass(frozen=True, slots=True)
class ConfigVersion:
    """One entry of the history. `settings` are those that were wanted, secrets hidden; empty for a refused change."""

    version: int
    ts_ns: int
    status: str
    cause: str
    instance: str
    fingerprint: str
    changes: Sequence[Mapping[str, Json]]
    error: str = ""
    why: str = ""
    settings: Mapping[str, Json] = field(default_factory=dict)


class ConfigVersions:
    """The history of one installation. All services see the same files, so what one of them wrote none repeats.

    Every method raises `ControlUnavailable` when the control store cannot be reached.
    """

    def __init__(self, control: ControlStore, clock: Clock, instance: str) -> None:
        self._control = control
        self._clock = clock
        self._instance = instance

    def history(self) -> list[ConfigVersion]:
        """Everything that was recorded, oldest first."""
        return [_version(event) for event in self._control.read(STREAM)]

    def get(self, version: int) -> ConfigVersion:
        """One version that was in force. Raises `UnknownName`."""
        known = {each.version: each for each in self.history() if each.status == "changed"}
        if version not in known:
            raise UnknownName("config version", str(version), [str(number) for number in known])
        return known[version]

    def changed(self, wanted: AresConfig, cause: str, why: str = "") -> int | None:
        """Record the settings that hold from now on; None if the newest version says the same already."""
        name = fingerprint(wanted)
        for _ in range(TRIES_MAX):
            history = self.history()
            newest = next((each for each in reversed(history) if each.status == "changed"), None)
            if newest is not None and newest.fingerprint == name:
                return None
            settings = _as_json(wanted)
            changes = [] if newest is None else _changes(newest.settings, settings)
            payload: dict[str, Json] = {"fingerprint": name, "changes": changes, "settings": settings, "why": why}
            if self._append(CHANGED, cause, payload, len(history)):
                return len(history) + 1
        return None

    def refused(self, error: str, cause: str) -> int | None:
        """Record that the files say something impossible; None if that is the newest entry already."""
        for _ in range(TRIES_MAX):
            history = self.history()
            if history and history[-1].status == "refused" and history[-1].error == error:
                return None
            if self._append(REFUSED, cause, {"error": error, "changes": []}, len(history)):
                return len(history) + 1
        return None

    def _append(self, kind: str, cause: str, payload: dict[str, Json], seq: int) -> bool:
        """False if somebody else was faster."""
        now_ns = self._clock.now_ns()
        payload |= {"cause": cause, "instance": self._instance}
        event = NewEvent(kind, now_ns, payload)
        row = Row(
            "config_versions",
            now_ns,
            {"status": kind.removeprefix("config_"), "cause": cause, "instance": self._instance},
            {
                "version": seq + 1,
                "fingerprint": str(payload.get("fingerprint", "")),
                "changes": orjson.dumps(payload["changes"]).decode(),
                "error": str(payload.get("error", "")),
                "why": str(payload.get("why", "")),
                "settings": orjson.dumps(payload.get("settings", {})).decode(),
            },
        )
        entry = AuditEntry(
            writer="config",
            who=self._instance,
            what=kind,
            ts_ns=now_ns,
            before={"version": seq},
            after={"version": seq + 1, "changes": payload["changes"], "error": str(payload.get("error", ""))},
            why=str(payload.get("why", "")),
        )
        try:
            self._control.append(STREAM, [event], expected_seq=seq, mirror=[row], audit=[entry])
        except SequenceConflict:
            return False
        return True


def _as_json(config: AresConfig) -> dict[str, Json]:
    return cast("dict[str, Json]", shown(config))


def _version(event: StoredEvent) -> ConfigVersion:
    payload = event.payload
    changes, settings = payload["changes"], payload.get("settings", {})
    assert isinstance(changes, list)
    assert isinstance(settings, dict)
    return ConfigVersion(
        version=event.seq,
        ts_ns=event.ts_ns,
        status=event.type.removeprefix("config_"),
        cause=str(payload["cause"]),
        instance=str(payload["instance"]),
        fingerprint=str(payload.get("fingerprint", "")),
        changes=[change for change in changes if isinstance(change, dict)],
        error=str(payload.get("error", "")),
        why=str(payload.get("why", "")),
        settings=settings,
    )


def _changes(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Json]:
    """Differences between two recorded trees."""
    found = [{"field": path, "before": old, "after": new} for path, old, new in leaves_that_differ(before, after)]
    return cast("list[Json]", found)
