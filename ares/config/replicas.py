"""Databases beside the primary: copies of the market data, to read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from ares.config.section import Port, Section

PRIMARY = "primary"


class ReplicaConfig(Section):
    """A QuestDB with market data alone. Users, passwords and TLS are those of `database`."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    host: str = "127.0.0.1"
    http_port: Port = 9000
    pg_port: Port = 8812
    health_port: Port = 9003


def require_distinct(replicas: Sequence[ReplicaConfig]) -> None:
    """Raises `ValueError` if two databases go by one name."""
    names = [PRIMARY, *(replica.name for replica in replicas)]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two databases are called {name!r}")
