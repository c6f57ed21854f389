"""What was in QuestDB just before its checkpoint, partition by partition: by it a drill tells what is missing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import orjson

from ares.errors import BackupIncomplete
from ares.files import write_whole
from ares.store import Database, load_queries
from ares.store.partitions import whole_name
from ares.store.pool import as_int, as_str
from ares.store.server import make_dir

QUERIES = load_queries("backup", "queries/manifest.sql")

Partitions = Mapping[str, int]
Manifest = Mapping[str, Partitions]
"""Table or materialized view → partition → rows."""


async def counted(database: Database) -> Manifest:
    """The rows of all partitions, as they can be read now."""
    found: dict[str, Partitions] = {}
    for table in await database.fetch(QUERIES["tables"]):
        name = as_str(table["name"])
        rows: Counter[str] = Counter()
        for part in await database.fetch(QUERIES["partitions"], {"relation": name}):
            rows[whole_name(as_str(part["part"]), as_str(table["unit"]))] += as_int(part["row_count"])
        found[name] = dict(rows)
    return found


def manifest_file(state_dir: Path) -> Path:
    """Where it is kept, to be part of a backup."""
    return state_dir / "backup" / "staging" / "market" / "manifest.json"


async def write_manifest(database: Database, state_dir: Path) -> None:
    """Count, and keep it. Raises `StoreError`, `StateDirUnusable`."""
    counts = await counted(database)
    path = manifest_file(state_dir)
    await asyncio.to_thread(make_dir, path.parent)
    await asyncio.to_thread(write_whole, path, orjson.dumps(counts), 0o600)


def read_manifest(state_dir: Path) -> Manifest:
    """What a backup says of itself. Raises `BackupIncomplete` for one that says nothing."""
    try:
        return cast("Manifest", orjson.loads(manifest_file(state_dir).read_bytes()))
    except (OSError, ValueError):
        raise BackupIncomplete("the backup has no list of partitions. Take one that a newer Ares made") from None
