"""Lineage: what can be set."""

from __future__ import annotations

from pydantic import Field, SecretStr

from ares.config.section import Seconds, Section


class LineageConfig(Section):
    """Where what was made from what is told besides the table `lineage`: as OpenLineage events."""

    openlineage_url: str | None = Field(
        None,
        pattern=r"^(https?://.+|file:.+)$",
        description="http(s)://host/api/v1/lineage takes each event by POST, file:PATH a line of JSON; unset: nobody",
    )
    openlineage_namespace: str = Field("ares", min_length=1, description="of our jobs, tables and views")
    openlineage_token: SecretStr | None = Field(None, description="is sent as a bearer token; may be a reference")
    openlineage_timeout_s: Seconds = 5.0
