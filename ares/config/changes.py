"""What differs between two configurations, and what of it a running service may take up."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard, TypeVar

import orjson
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from ares.config.section import Section, TakenUpWhileRunning
from ares.config.settings import AresConfig
from ares.redaction import HIDDEN

ABSENT = "(absent)"

S = TypeVar("S", bound=Section)


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that differs. `before` and `after` are for people: secrets are hidden."""

    field: str
    before: object
    after: object
    reloadable: bool


def is_reloadable(info: FieldInfo) -> bool:
    """Whether the type of a setting says that it is taken up while running."""
    return any(isinstance(mark, TakenUpWhileRunning) for mark in info.metadata)


def differences(before: Section, after: Section, prefix: str = "") -> list[Change]:
    """Every setting that differs, by its dotted path, in the order of declaration."""
    found: list[Change] = []
    for name, info in type(before).model_fields.items():
        found += _differences(f"{prefix}{name}", getattr(before, name), getattr(after, name), is_reloadable(info))
    return found


def _differences(path: str, before: object, after: object, reloadable: bool) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Section) and isinstance(after, Section):
        yield from differences(before, after, f"{path}.")
    elif _is_table(before) and _is_table(after):
        for key in sorted(before.keys() | after.keys()):
            yield from _differences(f"{path}.{key}", before.get(key, ABSENT), after.get(key, ABSENT), reloadable)
    else:
        yield Change(path, shown(before), shown(after), reloadable)


def _is_table(value: object) -> TypeGuard[Mapping[str, Section]]:
    return isinstance(value, Mapping) and all(isinstance(each, Section) for each in value.values())


def shown(value: object) -> object:
    """A value as JSON can hold it, secrets hidden wherever they are."""
    if isinstance(value, SecretStr):
        return HIDDEN
    if isinstance(value, Section):
        return {name: shown(getattr(value, name)) for name in type(value).model_fields}
    if isinstance(value, Mapping):
        return {str(key): shown(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [shown(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def leaves_that_differ(
    before: Mapping[str, object], after: Mapping[str, object], prefix: str = ""
) -> Iterator[tuple[str, object, object]]:
    """Dotted paths whose value differs between two trees of settings, with both values; None where there is none."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from leaves_that_differ(old, new, f"{prefix}{key}.")
        elif old != new:
            yield f"{prefix}{key}", old, new


def take_over(running: S, wanted: S) -> S:
    """`running` with those settings of `wanted` that may change while running."""
    values: dict[str, object] = {}
    for name, info in type(running).model_fields.items():
        old, new = getattr(running, name), getattr(wanted, name)
        if isinstance(old, Section):
            values[name] = take_over(old, new)
        elif is_reloadable(info):
            values[name] = new
        elif _is_table(old) and _is_table(new):
            values[name] = _take_over_table(old, new)
    return running.model_copy(update=values)


def _take_over_table(running: Mapping[str, Section], wanted: Mapping[str, Section]) -> dict[str, Section]:
    """The entries that run, each with what may change of it; one that came or went waits for a restart."""
    return {key: take_over(old, wanted[key]) if key in wanted else old for key, old in running.items()}


def fingerprint(config: AresConfig) -> str:
    """Names a configuration: equal settings, equal fingerprint. Secrets are not in it, so it betrays none."""
    return hashlib.sha256(orjson.dumps(shown(config), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
