"""What of notifications is of an installation: whose targets, which bot; and where a new target may be."""

from __future__ import annotations

import secrets

from api.notify.addresses import require_address
from api.notify.bot_api import BotApi
from ares.control import ControlStore
from ares.security.access.state import Target
from ares.security.access.targets import Address, Targets, Wish
from ares.security.access.topics import TargetKind
from ares.security.access.users import By, Users
from ares.service.entrance import keyring_of
from ares.service.types import ServiceContext

KEY_BYTES = 32


def targets_of(context: ServiceContext, control: ControlStore) -> Targets:
    """Raises `ConfigError` for keys that are none."""
    return Targets(Users(control, context.clock), control, keyring_of(context), context.clock)


def bot_of(context: ServiceContext) -> BotApi | None:
    """The bot of the settings, if there is one."""
    config = context.config.notifications
    return None if config.telegram_token is None else BotApi(config, context.clock)


def added(targets: Targets, name: str, wish: Wish, url: str, by: By, *, dev: bool) -> tuple[Target, str]:
    """A new target with an address, and the key that signs what a webhook is sent (else empty); told once.

    Raises `UsageError` for an address that is none.
    """
    require_address(url, dev=dev)
    key = secrets.token_urlsafe(KEY_BYTES) if wish.kind is TargetKind.WEBHOOK else ""
    return targets.add(name, wish, Address(url, key), by), key
