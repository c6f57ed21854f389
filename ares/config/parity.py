"""Comparing live decisions with their replay: what can be set."""

from __future__ import annotations

from pydantic import Field

from ares.config.section import Reloadable, Section, Share


class ParityConfig(Section):
    """The nightly replay of yesterday, compared with what was decided then."""

    cron: str = "41 1 * * *"
    quantity_share_max: Reloadable[Share] = Field(
        0.01, description="quantities that differ by no more, as a share of the larger, count as equal"
    )
