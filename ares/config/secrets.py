"""References to secrets in settings: `env:NAME`, `file:/path`, and what other providers read, as `vault:path#key`.

A reference that cannot be followed is an error that names the setting; nothing goes on with an empty secret. A provider
of another scheme is an entry point of the group `ares.secrets`, a `ProviderFactory`, imported when a setting needs it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol, TypeVar

from pydantic import SecretStr

from ares.config.section import Section
from ares.config.settings import AresConfig, SecretsConfig
from ares.errors import ConfigError, SecretUnavailable
from ares.redaction import redact

PROVIDERS_GROUP = "ares.secrets"
_REFERENCE = re.compile(r"(?P<scheme>[a-z][a-z0-9]*):(?P<place>.+)", re.DOTALL)
_OTHERS_MAY_READ = 0o077

S = TypeVar("S", bound=Section)
T = TypeVar("T")


class SecretProvider(Protocol):
    """Follows references of one scheme."""

    def read(self, place: str) -> str:
        """The secret at what follows the scheme. Raises `SecretProblem`."""
        ...


ProviderFactory = Callable[[SecretsConfig], SecretProvider]


class SecretProblem(Exception):
    """Why a reference cannot be followed, and the way out; `passing`: another try may help."""

    def __init__(self, problem: str, way_out: str, *, passing: bool = False) -> None:
        super().__init__(problem)
        self.problem = problem
        self.way_out = way_out
        self.passing = passing


class SecretResolver(Protocol):
    """What `ConfigSource` does with references."""

    @property
    def followed(self) -> int:
        """How many references the newest settings have: there is something to look at again."""
        ...

    def resolved(self, config: AresConfig) -> AresConfig: ...


class AsWritten:
    """Leaves references as they are: for looking at the settings of another place."""

    followed = 0

    def resolved(self, config: AresConfig) -> AresConfig:
        return config


class SecretReader:
    """Follows the references of one installation; providers are kept, for they hold logins."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._local: dict[str, SecretProvider] = {"env": EnvironmentSecrets(environ), "file": FileSecrets()}
        self._foreign: dict[str, SecretProvider] = {}
        self._settings: SecretsConfig | None = None
        self.followed = 0

    def resolved(self, config: AresConfig) -> AresConfig:
        """The settings with secrets in place of references; every secret is known to the redactor from now on.

        Raises `ConfigError` for a reference that cannot be followed, `SecretUnavailable` if it may be, later.
        """
        secrets = self.own(config.secrets)
        if secrets != self._settings:
            self._settings, self._foreign = secrets, {}
        there = dict(references(config))
        found = self._section(config, "", self._providers(secrets, there))
        self.followed = len(there)
        return found.model_copy(update={"secrets": secrets})

    def own(self, settings: SecretsConfig) -> SecretsConfig:
        """How to log in to a secret store: these references lead to this machine only. Raises `ConfigError`."""
        return self._section(settings, "secrets", self._local)

    def _providers(self, settings: SecretsConfig, there: Mapping[str, str]) -> Mapping[str, SecretProvider]:
        points = metadata.entry_points(group=PROVIDERS_GROUP)
        for field, reference in there.items():
            scheme = reference.partition(":")[0]
            if scheme in points.names and scheme not in self._foreign:
                factory: ProviderFactory = points[scheme].load()
                self._foreign[scheme] = _explained(field, reference, partial(factory, settings))
        return self._local | self._foreign

    def _section(self, section: S, path: str, providers: Mapping[str, SecretProvider]) -> S:
        values: dict[str, object] = {}
        for name in type(section).model_fields:
            value, place = getattr(section, name), f"{path}.{name}".lstrip(".")
            if isinstance(value, SecretStr):
                values[name] = SecretStr(_follow(place, value.get_secret_value(), providers))
            elif isinstance(value, Section):
                values[name] = self._section(value, place, providers)
            elif isinstance(value, Mapping) and all(isinstance(each, Section) for each in value.values()):
                values[name] = {key: self._section(each, f"{place}.{key}", providers) for key, each in value.items()}
        return section.model_copy(update=values)


def references(section: Section, path: str = "") -> Iterator[tuple[str, str]]:
    """Settings that look like references, by their dotted path."""
    for name in type(section).model_fields:
        value, place = getattr(section, name), f"{path}.{name}".lstrip(".")
        if isinstance(value, SecretStr) and _REFERENCE.fullmatch(value.get_secret_value()):
            yield place, value.get_secret_value()
        elif isinstance(value, Section):
            yield from references(value, place)
        elif isinstance(value, Mapping):
            for key, each in value.items():
                if isinstance(each, Section):
                    yield from references(each, f"{place}.{key}")


def _follow(field: str, text: str, providers: Mapping[str, SecretProvider]) -> str:
    match = _REFERENCE.fullmatch(text)
    provider = providers.get(match["scheme"]) if match else None
    if match is None or provider is None:
        secret = text  # a password may look like anything
    else:
        secret = _explained(field, text, partial(provider.read, match["place"]))
        if not secret:
            raise ConfigError(field, text, "leads to an empty secret", "Put one there")
    redact.learn(secret)
    return secret


def _explained(field: str, reference: str, work: Callable[[], T]) -> T:
    """What `work` gives; a problem becomes the error of this setting."""
    try:
        return work()
    except SecretProblem as error:
        kind = SecretUnavailable if error.passing else ConfigError
        raise kind(field, reference, error.problem, error.way_out) from None


class EnvironmentSecrets:
    """`env:NAME`: a variable, which every program of this user can read; for a laptop."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def read(self, place: str) -> str:
        if place not in self._environ:
            raise SecretProblem("there is no such variable", f"Set {place}, or change the reference")
        return self._environ[place]


class FileSecrets:
    """`file:/path`: a file of ours (or root's) that nobody else reads; a newline at its end is not part of it.

    Kubernetes mounts secrets as root's, for the pod's own group to read: that is as good, for whoever is not root.
    """

    def read(self, place: str) -> str:
        path = Path(place)
        if not path.is_absolute():
            raise SecretProblem("not an absolute path", "Say file:/… so that every service means the same file")
        try:
            facts = path.stat()
            if not stat.S_ISREG(facts.st_mode):
                raise SecretProblem("not a file", "Name a file that holds the secret and nothing else")
            if facts.st_uid not in (0, os.getuid()) or facts.st_mode & _OTHERS_MAY_READ & ~_our_groups_bit(facts):
                raise SecretProblem("others can read or change it", f"chmod 600 {path}, and make it yours")
            return path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except OSError as error:
            raise SecretProblem(f"cannot be read ({error.strerror})", "Check the path and who may read it") from None
        except UnicodeDecodeError:
            raise SecretProblem("is not text", "Keep the secret as UTF-8 text") from None


def _our_groups_bit(facts: os.stat_result) -> int:
    """What a file of root's may allow its group: to read, where that is a group of ours and we are not root."""
    ours = facts.st_gid in {os.getegid(), *os.getgroups()}
    return stat.S_IRGRP if ours and facts.st_uid == 0 != os.getuid() else 0
