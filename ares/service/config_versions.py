"""What was configured when: every change of the settings, and every refused one, is an event and a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ares.clock import Clock
from ares.config import AresConfig
from ares.config.changes import fingerprint, leaves_that_differ, shown
from ares.control import AuditEntry, ControlStore, Json
from ares.errors import SequenceConflict, UnknownName
from ares.events import EventRegistry
from ares.service.config_events import (
    CHANGED,
    REFUSED,
    TYPES,
    ConfigChanged,
    ConfigRefused,
    ConfigVersion,
    seen,
    version_of,
    version_row,
)

STREAM = "config"
TRIES_MAX = 20
REGISTRY = EventRegistry(TYPES)


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
        return [version_of(REGISTRY.read(stored)) for stored in self._control.read(STREAM)]

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
            if self._append(ConfigChanged(cause, self._instance, name, changes, settings, why), len(history)):
                return len(history) + 1
        return None

    def refused(self, error: str, cause: str) -> int | None:
        """Record that the files say something impossible; None if that is the newest entry already."""
        for _ in range(TRIES_MAX):
            history = self.history()
            if history and history[-1].status == "refused" and history[-1].error == error:
                return None
            if self._append(ConfigRefused(cause, self._instance, error), len(history)):
                return len(history) + 1
        return None

    def _append(self, said: ConfigChanged | ConfigRefused, seq: int) -> bool:
        """False if somebody else was faster."""
        now_ns = self._clock.now_ns()
        event = CHANGED.new(said, now_ns) if isinstance(said, ConfigChanged) else REFUSED.new(said, now_ns)
        version = seen(said, now_ns, seq + 1)
        entry = AuditEntry(
            writer="config",
            who=self._instance,
            what=event.type,
            ts_ns=now_ns,
            before={"version": seq},
            after={"version": version.version, "changes": cast("list[Json]", version.changes), "error": version.error},
            why=version.why,
        )
        try:
            self._control.append(STREAM, [event], expected_seq=seq, mirror=[version_row(version)], audit=[entry])
        except SequenceConflict:
            return False
        return True


def _as_json(config: AresConfig) -> dict[str, object]:
    return cast("dict[str, object]", shown(config))


def _changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[dict[str, object]]:
    """Differences between two recorded trees."""
    return [{"field": path, "before": old, "after": new} for path, old, new in leaves_that_differ(before, after)]
