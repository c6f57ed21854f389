"""What the storage itself says about its state."""

from __future__ import annotations

from ares.store.pool import Database, Record
from ares.store.queries import load_queries

_QUERIES = load_queries("ares.store", "health.sql")


async def storage_health(database: Database) -> list[Record]:
    """Every table and view with its state: ok, behind, suspended, invalid; `lag` in transactions."""
    return await database.fetch(_QUERIES["tables"]) + await database.fetch(_QUERIES["materialized_views"])
