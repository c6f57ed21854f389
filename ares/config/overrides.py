"""Settings changed on this machine: a file over the profile's, written whole or not at all, and only if it is right."""

from __future__ import annotations

import os
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path

import tomli_w

from ares.config.changes import differences, leaves_that_differ, shown
from ares.config.load import OVERRIDES, SECRET_WORDS, ConfigSource, Tree, environment_tree, read_toml
from ares.config.section import Section
from ares.config.settings import AresConfig
from ares.errors import ConfigError, StateDirUnusable

SECRET_URLS = ("control.url", "backup.postgres_url")
"""Addresses that may hold a password; others are no secret."""
FIXED = ("environment.state_dir", "environment.profile")
"""They say where the overrides themselves are."""


def with_override(source: ConfigSource, field: str, text: str) -> tuple[AresConfig, Tree]:
    """The settings, and the overrides, once `field` (a dotted path) is what `text` says (TOML, or plain text).

    Raises `ConfigError` if the result would be invalid, or if something stronger than an override sets the field.
    """
    _require_settable(source, field)
    tree = current(source)
    put(tree, field, parsed(text))
    return source.load(tree), tree


def without_override(source: ConfigSource, field: str) -> tuple[AresConfig, Tree]:
    """The settings, and the overrides, once `field` is what the files say again. Raises `ConfigError`."""
    tree = current(source)
    if not take(tree, field.split(".")):
        raise ConfigError(field, "(not overridden)", "nothing to take back", "See `ares config show --overrides`")
    return source.load(tree), tree


def overrides_towards(source: ConfigSource, settings: Mapping[str, object]) -> tuple[AresConfig, Tree]:
    """The overrides that lead back to recorded settings; secrets, which no record holds, stay as they are now.

    Raises `ConfigError` if that is not possible any more.
    """
    base = source.load({})
    tree: Tree = {}
    for path, _, value in leaves_that_differ(shown_tree(base), settings):
        if path in FIXED or is_secret(path):
            continue
        if value is None:
            raise ConfigError(path, None, "was not set then, and a file cannot unset it", "Take it out of your files")
        put(tree, path, value)
    return source.load(tree), tree


def write(config: AresConfig, tree: Tree) -> Path:
    """Put the overrides in place of the old ones. Raises `StateDirUnusable`."""
    path = config.environment.state_dir / OVERRIDES
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".overrides-")
        with os.fdopen(descriptor, "wb") as file:
            tomli_w.dump(tree, file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except OSError as error:
        raise StateDirUnusable(str(config.environment.state_dir), error.strerror or str(error)) from None
    return path


def current(source: ConfigSource) -> Tree:
    """The overrides as they are now."""
    path = source.overrides()
    return read_toml(path) if path.is_file() else {}


def parsed(text: str) -> object:
    """A value as TOML reads it, or the text itself: `0.02`, `["a"]`, `true`, and also `info` without quotes."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def put(tree: Tree, field: str, value: object) -> None:
    """Set a dotted path."""
    *way, last = field.split(".")
    for step in way:
        below = tree.setdefault(step, {})
        if not isinstance(below, dict):
            raise ConfigError(field, value, "no such setting", "See docs/reference/config.md")
        tree = below
    tree[last] = value


def take(tree: Tree, way: list[str]) -> bool:
    """Remove a path and the tables it leaves empty; False if it is not there."""
    if len(way) == 1:
        return tree.pop(way[0], tree) is not tree
    below = tree.get(way[0])
    if not isinstance(below, dict) or not take(below, way[1:]):
        return False
    if not below:
        del tree[way[0]]
    return True


def shown_tree(config: Section) -> Mapping[str, object]:
    """All settings as JSON could hold them, secrets hidden."""
    tree = shown(config)
    assert isinstance(tree, dict)
    return tree


def is_secret(field: str) -> bool:
    """Whether a setting holds a secret, by its name."""
    return field in SECRET_URLS or any(word in field.rpartition(".")[2] for word in SECRET_WORDS if word != "url")


def _require_settable(source: ConfigSource, field: str) -> None:
    if field in FIXED:
        raise ConfigError(field, "(fixed)", "says where overrides are kept", f"Set ARES_{field.upper()} instead")
    if is_secret(field):
        raise ConfigError(field, "(hidden)", "secrets do not belong in a file", "Set it by variable or secret store")
    way: object = environment_tree(source.environ)
    for step in field.split("."):
        way = way.get(step) if isinstance(way, dict) else None
    if way is not None:
        variable = "ARES_" + field.upper().replace(".", "__")
        raise ConfigError(field, way, f"is set by the variable {variable}, which is stronger", "Change it there")


def effect(before: AresConfig, after: AresConfig) -> list[dict[str, object]]:
    """What a change does, for people: a row per setting."""
    return [
        {
            "setting": change.field,
            "before": str(change.before),
            "after": str(change.after),
            "takes effect": "at once" if change.reloadable else "after a restart",
        }
        for change in differences(before, after)
    ]
