"""Event types must stay readable for ever: every version that was ever written is kept as a file, and checked.

A file is named <category>.<type>.v<version>.json and holds the shape and an example of the payload. Users of the
package may keep such a folder for types of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson

from ares.control import Json
from ares.errors import EventUnreadable
from ares.events import EventRegistry
from ares.events.registry import KnownType
from ares.events.types import breaks


def record(folder: Path, registry: EventRegistry) -> list[Path]:
    """Write a file for every type whose version has none; those that are there are never touched. Returns the new."""
    written: list[Path] = []
    for known in registry.types.values():
        path = _path(folder, known, known.version)
        if not path.exists():
            content = {"shape": known.shape(), "payload": known.sample()}
            path.write_bytes(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
            written.append(path)
    return written


def incompatibilities(folder: Path, registry: EventRegistry) -> Iterator[str]:
    """Why events that were written under a kept version could not be read today, as sentences with the way out."""
    types = registry.types
    for path in sorted(folder.glob("*.v*.json")):
        full_name, _, number = path.stem.rpartition(".v")
        if full_name not in types:
            yield f"{path.name}: no type {full_name}. Events of it are in users' logs: keep the type"
            continue
        yield from _unreadable(path, types[full_name], int(number))
    for known in types.values():
        for version in range(1, known.version + 1):
            if not _path(folder, known, version).exists():
                yield f"{known.full_name} version {version} is not kept: make generate"


def _unreadable(path: Path, known: KnownType, version: int) -> Iterator[str]:
    kept: dict[str, Json] = orjson.loads(path.read_bytes())
    payload = kept["payload"]
    assert isinstance(payload, dict), f"{path.name}: a payload is an object"
    try:
        known.load(payload, version)
    except EventUnreadable as error:
        yield f"{path.name}: {error}"
    if version == known.version:
        for reason in breaks(kept["shape"], known.shape()):
            yield f"{path.name}: {reason}. Give it a version {version + 1} and an upcast from {version}"


def _path(folder: Path, known: KnownType, version: int) -> Path:
    return folder / f"{known.full_name}.v{version}.json"
