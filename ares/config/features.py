"""The feature store: what can be set."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ares.config.section import Count, Reloadable, Seconds, Section


class FeaturesConfig(Section):
    """Features and signals of an analyst's own, and how all of them are checked."""

    own_dir: Path | None = Field(
        None, description="own features and signals that were deployed; unset: `features` in the state directory"
    )
    deploy_read_s_max: Reloadable[Seconds] = Field(
        2.0, description="a view whose last minutes take longer to read is not deployed: it would hold up the bars"
    )
    check_cron: str = Field("40 3 * * *", description="when all features and signals are checked")
    check_hours: Reloadable[Seconds] = Field(24.0, description="so much of what is frozen is graded")
    check_bars: Reloadable[Count] = Field(
        16, description="of so many bars it is proved that no feature knows what came after them"
    )

    def folder(self, state_dir: Path) -> Path:
        """Where own features and signals lie."""
        return (self.own_dir or state_dir / "features").resolve()
