"""What people's own statements may take of the database: what can be set."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ares.config.section import Count, Reloadable, Seconds, Section


class AnalystsConfig(Section):
    """Bounds of statements that Ares did not send itself: of notebooks, psql, Grafana, the console, `ares db sql`."""

    statement_s_max: Reloadable[Seconds] = Field(30.0, description="a statement that runs longer is cancelled")
    statements_max: Reloadable[Count] = Field(
        4, description="of more at once the newest are cancelled; below database.pg_workers"
    )
    memory_mb_max: Reloadable[Annotated[int, Field(ge=64)]] = Field(
        1_024, description="while QuestDB's sorts, groups and joins hold more, the oldest statement is cancelled"
    )
    watch_s: Reloadable[Seconds] = Field(0.25, description="so often is looked")
