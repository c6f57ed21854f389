"""Fields of the settings by their dotted paths: which there are, and which may hold a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args, get_origin

from pydantic import BaseModel, SecretStr

from ares.config.overrides import is_secret
from ares.config.settings import AresConfig

_WITH_PASSWORD = re.compile(r"://[^/\s@]*:[^/\s@]*@")


def is_setting(field: str) -> bool:
    """Whether there is a setting of this path.

    >>> is_setting("trading.risk.price_collar"), is_setting("venues.sim.protocol"), is_setting("database.pasword")
    (True, True, False)
    """
    return bool(_types(field))


def may_hold_secret(field: str, value: str = "") -> bool:
    """Whether what this path holds is a secret, by name or type, or has one within; or the value is an address with it.

    >>> may_hold_secret("access.key"), may_hold_secret("venues.sim"), may_hold_secret("trading.venue")
    (True, True, False)
    """
    return is_secret(field) or any(_within(each) for each in _types(field)) or bool(_WITH_PASSWORD.search(value))


def _types(field: str) -> list[object]:
    """What stands at a path: the types it may be."""
    found: list[object] = [AresConfig]
    for step in field.split("."):
        found = [below for each in found for below in _below(each, step)]
    return found


def _below(kind: object, step: str) -> list[object]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = kind.model_fields.get(step)
        return [] if field is None else [field.annotation]
    parts = get_args(kind)
    if isinstance(origin := get_origin(kind), type) and issubclass(origin, Mapping):
        return list(parts[1:])
    if origin in {list, tuple, set, frozenset}:
        return []
    return [below for part in parts for below in _below(part, step)]


def _within(kind: object) -> bool:
    if isinstance(kind, type) and get_origin(kind) is None:
        if issubclass(kind, BaseModel):
            return any(_within(field.annotation) for field in kind.model_fields.values())
        return issubclass(kind, SecretStr)
    return any(_within(part) for part in get_args(kind))
