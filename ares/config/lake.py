"""The cold tier: what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from ares.config.section import Count, Reloadable, Seconds, Section

Days = Annotated[int, Field(ge=0)]
TieredTable = Literal["trades", "trades_archive", "quotes", "books", "funding", "venue_bars_1m"]
"""What has a cold tier."""


class TierRule(Section):
    """How long rows of a table stay in which tier, days after the end of the day they are of."""

    table: TieredTable
    parquet_after_days: Days = Field(0, description="partitions become Parquet inside QuestDB; 0: they stay native")
    cold_after_days: Count = Field(2, description="copied to Delta Lake, and proved to be the same rows")
    drop_after_days: Days = Field(0, description="dropped from QuestDB, if nothing needs them there; 0: never")

    @model_validator(mode="after")
    def _copied_before_it_is_dropped(self) -> Self:
        if 0 < self.drop_after_days <= self.cold_after_days:
            raise ValueError(
                f"{self.table}: drop_after_days = {self.drop_after_days} is not after "
                f"cold_after_days = {self.cold_after_days}. What is dropped was copied before"
            )
        return self


DEFAULT_TIERS = (
    TierRule(table="trades", parquet_after_days=7, cold_after_days=2),
    TierRule(table="trades_archive", parquet_after_days=7, cold_after_days=2),
    TierRule(table="quotes", cold_after_days=1, drop_after_days=7),
    TierRule(table="books", cold_after_days=1, drop_after_days=3),
    TierRule(table="funding", cold_after_days=2),
    TierRule(table="venue_bars_1m", cold_after_days=2),
)


class LakeConfig(Section):
    """Delta Lake on a disk or in S3: old market data and the versions of datasets."""

    location: str | None = Field(
        None, description="folder, or s3://bucket/prefix; unset: `lake` in the state directory"
    )
    s3_endpoint: str | None = Field(None, description="of an S3 that is not Amazon's: https://host:port")
    s3_region: str = "us-east-1"
    s3_access_key: SecretStr | None = Field(None, description="unset: as the environment of the process says")
    s3_secret_key: SecretStr | None = None
    timeout_s: Seconds = Field(60.0, description="for one answer of S3")
    retention: Reloadable[Literal["off", "on"]] = Field(
        "off", description="on: the job `retention` copies, proves and drops by `tiers`; off: by hand only"
    )
    retention_cron: str = "17 3 * * *"
    tiers: tuple[TierRule, ...] = DEFAULT_TIERS
    backup_before_drop: Reloadable[Literal["proved", "any"]] = Field(
        "proved", description="proved: only what a restore drill has proved to be in a backup; any: who has no backups"
    )
    memory_mb_max: Count = Field(1_024, description="for a query over hot and cold rows, and for a proof")
    sql_hot_rows_max: Count = Field(5_000_000, description="rows that one `ares data sql` may fetch from QuestDB")
    vacuum_after_hours: Annotated[int, Field(ge=1)] = Field(
        168, description="files of the cold tier that no version names any more are kept for so long"
    )

    def folder(self, state_dir: Path) -> Path | None:
        """Where it lies on this machine; None: elsewhere."""
        if self.location is None:
            return state_dir / "lake"
        return None if "://" in self.location else Path(self.location)

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        tables = [tier.table for tier in self.tiers]
        if len(tables) != len(set(tables)):
            raise ValueError(f"tiers: a table stands there twice: {', '.join(sorted(tables))}")
        if (self.s3_access_key is None) != (self.s3_secret_key is None):
            raise ValueError("s3_access_key and s3_secret_key belong together: set both or none")
        return self
