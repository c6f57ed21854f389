"""Copies of the control store between the large backups, and the proof of both: what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from ares.config.section import Count, Reloadable, Seconds, Section


class JournalConfig(Section):
    """The journal's way to the repository, its second copy, the restore drill."""

    journal_s: Reloadable[Seconds] = Field(
        40.0, description="the control store is copied this often; a copy takes seconds, and so much more is lost"
    )
    mirrored_rows_kept_max: Count = Field(
        1_000_000, description="rows that QuestDB has, kept in the control store until two market backups cover them"
    )
    second_copy_dir: Path | None = Field(
        None, description="a folder on another disk that has each commit before it is acknowledged; SQLite only"
    )
    second_copy_away: Literal["refuse", "go_on"] = Field(
        "refuse", description="when that disk is full or away: refuse every commit, or go on with an alarm"
    )
    follow_postgres: bool = Field(
        default=True,
        description="the journal of a Postgres is its WAL; false, where it lets nobody follow: there is no journal",
    )
    postgres_url: SecretStr | None = Field(
        None, description="of a Postgres: as whom its WAL is followed, past any pooler; unset: control.url"
    )
    postgres_bin: Path | None = Field(
        None, description="folder of pg_receivewal, pg_basebackup and, to restore, postgres; unset: they are looked for"
    )
    base_copy_hours: Seconds = Field(
        24.0, description="of a Postgres: a base copy that is older is followed by another"
    )
    wal_mb_max: Count = Field(
        1_024, description="MiB of a Postgres' WAL that are kept here since its base copy; more is ended by another one"
    )
    drill_cron: str = Field("23 5 * * *", description="of the job restore-drill")
    drill_parts: Count = Field(
        1, description="a drill compares the rows of all partitions by count, those of one of so many parts by hash too"
    )
