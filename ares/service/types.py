"""What a service is to the rest of Ares."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

from ares.clock import Clock
from ares.config.settings import AresConfig
from ares.control.second_copy import doubled
from ares.errors import UsageError
from ares.model.lineage import Made


@dataclass(frozen=True, slots=True)
class Health:
    """Whether a service can do its work now, and why not."""

    ready: bool
    detail: str = ""


class Service(Protocol):
    """One process' work. `run` lasts until it is cancelled; an exception ends the process, which is started again."""

    async def start(self) -> None:
        """Connect and recover; returns when `run` may begin."""
        ...

    async def run(self) -> None:
        """Work until cancelled."""
        ...

    async def stop(self) -> None:
        """Finish what was begun and let go; called once, also after a failed start."""
        ...

    def health(self) -> Health:
        """Readiness, cheaply: it is asked every second."""
        ...


@dataclass(slots=True)
class ServiceContext:
    """What a service is given: settings, time, and its own name in rows.

    `config` is replaced when settings are reloaded; each object in it is frozen.
    """

    config: AresConfig
    clock: Clock
    instance: str
    color: str = ""
    """Tells this process from another one of its service under the same state directory; empty: it was given none."""

    @property
    def state_dir(self) -> Path:
        """The folder that holds everything that must outlive the process."""
        return self.config.environment.state_dir.resolve()

    @property
    def control_url(self) -> str:
        """Where the control store is; SQLite in the state directory unless configured; with its second copy."""
        configured = self.config.control.url
        url = configured.get_secret_value() if configured else f"sqlite:///{self.state_dir / 'control.db'}"
        backup = self.config.backup
        return url if backup.second_copy_dir is None else doubled(url, backup.second_copy_dir, backup.second_copy_away)


@runtime_checkable
class Reconfigurable(Protocol):
    """A service that keeps settings in its parts: it hands them on when they change."""

    def reconfigure(self, config: AresConfig) -> None:
        """Work by these from now on. Only settings marked `Reloadable` differ, and all are valid: it cannot fail."""
        ...


@dataclass(frozen=True, slots=True)
class Capability:
    """What a service offers to others, with what tells it from the same of another: `venue-feed` of venue `sim`."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def offers(self, name: str, labels: Mapping[str, str]) -> bool:
        """Whether this is what somebody looks for: the name, and at least these labels."""
        return self.name == name and labels.items() <= self.labels.items()


Factory = Callable[[ServiceContext], Service]
COLOR = re.compile(r"[a-z][a-z0-9]{0,19}")


def color_named(field: str, text: str) -> str:
    """A colour: one word of small letters and digits. Raises `UsageError`."""
    if not COLOR.fullmatch(text):
        raise UsageError(
            f"{field} = {text!r}: not a colour: small letters and digits, 20 at most. Say for example green"
        )
    return text


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """How a package offers a service (entry-point group `ares.services`).

    `create` may be a path, "package.module:callable", so that reading a spec does not import what the service needs:
    the supervisor reads all of them. `provides` says what a running one offers under given settings, `makes` what it
    makes from what, for the lineage.
    """

    name: str
    create: Factory | str
    depends_on: tuple[str, ...] = ()
    provides: Callable[[AresConfig], Sequence[Capability]] = lambda _: ()
    makes: Callable[[AresConfig], Sequence[Made]] = lambda _: ()
    colored: bool = False
    """Whether two may run side by side under one state directory, each of its own colour."""

    def build(self, context: ServiceContext) -> Service:
        """The service itself."""
        if not isinstance(self.create, str):
            return self.create(context)
        module, _, name = self.create.partition(":")
        factory = cast("Factory", getattr(import_module(module), name))
        return factory(context)
