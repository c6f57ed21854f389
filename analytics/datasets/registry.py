"""Which versions there are: decided in the control store, where two makers cannot take one number."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from analytics.datasets.events import (
    CITED,
    MADE,
    REGISTRY,
    RETIRED,
    VersionCited,
    VersionMade,
    VersionRetired,
    made_row,
    retired_row,
)
from ares.clock import Clock
from ares.control import ControlStore, StoredEvent, until_it_fits
from ares.errors import UnknownName, UsageError

CATEGORY = "dataset"
NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
NAMED_VERSION = re.compile(rf"(?P<name>{NAME.pattern})@(?P<version>[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class Version:
    """A version as it stands now. `cited_by`: what stays and was made of it; `retired`: why it was given up."""

    made: VersionMade
    made_at_ns: int
    cited_by: tuple[str, ...] = ()
    retired: str | None = None

    @property
    def id(self) -> str:
        """How it is named."""
        return f"{self.made.name}@{self.made.version}"


def require_name(name: str) -> str:
    """A name that a dataset may have. Raises `UsageError`."""
    if not NAME.fullmatch(name):
        raise UsageError(f"dataset = {name!r}: not a name. Use a-z, 0-9 and _, a letter first, like direction")
    return name


class Registry:
    """All datasets of one installation. Every method raises `ControlUnavailable` if the store cannot be reached."""

    def __init__(self, control: ControlStore, clock: Clock) -> None:
        self._control = control
        self._clock = clock

    def names(self) -> list[str]:
        """The datasets that there are."""
        prefix = f"{CATEGORY}/"
        return [stream.removeprefix(prefix) for stream in self._control.streams(prefix)]

    def versions(self, name: str) -> list[Version]:
        """All versions of a dataset, the oldest first; none if there is no such dataset."""
        return list(_versions(self._control.read(_stream(name))).values())

    def standing(self, name: str) -> list[Version]:
        """Those that were not given up, the oldest first."""
        return _standing(_versions(self._control.read(_stream(name))))

    def get(self, named: str) -> Version:
        """A version by name@version, a name alone being its newest that was not given up.

        Raises `UnknownName`, `UsageError` (a misspelt name).
        """
        match = NAMED_VERSION.fullmatch(named)
        name = match["name"] if match else require_name(named)
        there = self.versions(name)
        found = [
            each for each in there if (str(each.made.version) == match["version"] if match else each.retired is None)
        ]
        if not found:
            known = [each.id for each in there] or self.names()
            raise UnknownName("dataset", named, known)
        return found[-1]

    def add(self, made: VersionMade) -> Version:
        """Give a version its number and record it, unless the newest one that stands says the same already.

        Raises `SequenceConflict` if too many others do the same.
        """

        def say() -> Version:
            events = self._control.read(_stream(made.name))
            versions = _versions(events)
            standing = _standing(versions)
            if standing and same(standing[-1].made, made):
                return standing[-1]
            numbered = replace(made, version=len(versions) + 1)
            event = MADE.new(numbered, self._clock.now_ns())
            row = made_row(numbered, event.ts_ns)
            self._control.append(_stream(made.name), [event], expected_seq=len(events), mirror=[row])
            return Version(numbered, event.ts_ns)

        return until_it_fits(_stream(made.name), say)

    def cite(self, version: Version, by: str) -> None:
        """Record what was made of a version, before that is there: from then on it cannot be given up.

        Raises `UsageError` if it was given up meanwhile.
        """
        name, number = version.made.name, version.made.version

        def say() -> None:
            events = self._control.read(_stream(name))
            now = _versions(events)[number]
            if now.retired is not None:
                raise UsageError(f"dataset = {now.id!r}: given up ({now.retired}). Take another version")
            if by not in now.cited_by:
                event = CITED.new(VersionCited(name, number, by), self._clock.now_ns())
                self._control.append(_stream(name), [event], expected_seq=len(events))

        until_it_fits(_stream(name), say)

    def retire(self, version: Version, who: str, why: str) -> None:
        """Give a version up; a second time is harmless. Raises `UsageError` while something that stays cites it."""
        name, number = version.made.name, version.made.version

        def say() -> None:
            events = self._control.read(_stream(name))
            now = _versions(events)[number]
            if now.cited_by:
                raise UsageError(
                    f"dataset = {now.id!r}: {', '.join(now.cited_by)} learnt from it. Keep it as long as they are kept"
                )
            if now.retired is None:
                said = VersionRetired(name, number, who, why)
                event = RETIRED.new(said, self._clock.now_ns())
                row = retired_row(said, event.ts_ns)
                self._control.append(_stream(name), [event], expected_seq=len(events), mirror=[row])

        until_it_fits(_stream(name), say)


def same(one: VersionMade, other: VersionMade) -> bool:
    """Whether two versions hold the same rows, made of the same views, and are worth the same."""
    return (one.sha256, one.source.venue, one.view_hashes, one.judged) == (
        other.sha256,
        other.source.venue,
        other.view_hashes,
        other.judged,
    )


def _stream(name: str) -> str:
    return f"{CATEGORY}/{require_name(name)}"


def _standing(versions: dict[int, Version]) -> list[Version]:
    return [each for each in versions.values() if each.retired is None]


def _versions(events: list[StoredEvent]) -> dict[int, Version]:
    found: dict[int, Version] = {}
    for stored in events:
        match REGISTRY.read(stored).body:
            case VersionMade() as made:
                found[made.version] = Version(made, stored.ts_ns)
            case VersionCited(version=number, by=by):
                found[number] = replace(found[number], cited_by=(*found[number].cited_by, by))
            case VersionRetired(version=number, why=why):
                found[number] = replace(found[number], retired=why)
            case body:
                raise AssertionError(f"nothing else is in this stream: {body!r}")
    return found
