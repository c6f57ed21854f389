"""The door of an installation: which control store, which keys."""

from __future__ import annotations

from ares.control import ControlStore
from ares.security.access.door import Door
from ares.security.access.keyring import Keyring
from ares.service.types import ServiceContext


def door_of(context: ServiceContext, control: ControlStore) -> Door:
    """Raises `ConfigError` for keys that are none."""
    return Door(control, keyring_of(context), context.clock, lambda: context.config.access)


def keyring_of(context: ServiceContext) -> Keyring:
    """The keys that sign tokens and seal second factors. Raises `ConfigError`."""
    access = context.config.access
    if access.key is not None:
        return Keyring.of(access.key.get_secret_value(), "access.key")
    return Keyring.open(access.key_file or context.state_dir / "access.key", "access.key_file")
