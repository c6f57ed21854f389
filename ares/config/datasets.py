"""Datasets: what can be set."""

from __future__ import annotations

from pydantic import Field

from ares.config.section import Count, Seconds, Section


class DatasetsConfig(Section):
    """Named versions of bars and features, kept in the lake."""

    rows_max: Count = Field(2_000_000, description="bars of one version: it is made in memory")
    wait_s_max: Seconds = Field(
        120.0, description="how long a maker waits for another of the same name; one that died holds it for a minute"
    )
