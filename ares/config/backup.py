"""Backups, restore drills: what can be set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from ares.config.journal import JournalConfig
from ares.config.section import Count, Reloadable, Seconds

Kept = Annotated[int, Field(ge=0)]
FORMS = "/a/folder, s3:https://host/bucket/folder, sftp:user@host:/folder or rest:https://host:8000/"


class BackupConfig(JournalConfig):
    """Copies to a restic repository, and the drills that prove them. Without `repository` none are made."""

    repository: str | None = Field(None, description=f"where: {FORMS}; without name or password")
    password: SecretStr | None = Field(None, description="encrypts it; unset in dev: a key made in the state directory")
    host: str = Field("ares", description="names this installation in a repository that several share")
    restic: str = Field("restic", description="the program, or a path to it")
    s3_key_id: SecretStr | None = Field(None, description="of an s3: repository; unset: the machine's own role")
    s3_secret: SecretStr | None = None
    s3_region: str = ""
    rest_user: str = Field("", description="of a rest: repository")
    rest_password: SecretStr | None = None
    sftp_key_file: Path | None = Field(None, description="private key for an sftp: repository; unset: ssh's own")
    sftp_known_hosts_file: Path | None = Field(None, description="whom to trust; unset: ssh's own")
    ca_file: Path | None = Field(None, description="who vouches for an https repository; unset: whom the system trusts")
    upload_kib_s_max: Reloadable[Count | None] = Field(None, description="KiB a second; unset: as fast as it goes")
    download_kib_s_max: Reloadable[Count | None] = Field(None, description="KiB a second; unset: as fast as it goes")
    questdb_dir: Path | None = Field(None, description="root of a remote QuestDB, if its disk is mounted here")
    extra_paths: tuple[Path, ...] = Field(
        (), description="more to copy, as Grafana's /var/lib/grafana; none may vanish"
    )
    cron: str = Field("*/10 * * * *", description="of the job backup: market data of at most so long is lost")
    check_cron: str = Field("17 3 * * *", description="of the job backup-check")
    check_parts: Count = Field(7, description="each check reads one of so many parts of all data, in turns")
    prune_cron: str = Field("47 4 * * *", description="of the job backup-prune")
    keep_last: Kept = Field(12, description="newest backups of a kind that are kept")
    keep_hourly: Kept = 48
    keep_daily: Kept = 14
    keep_weekly: Kept = 8
    keep_monthly: Kept = 12
    answer_s_max: Seconds = Field(120.0, description="a repository that does not answer for longer is away")
    lock_wait_s: Seconds = Field(300.0, description="for another backup, or a program that works on the repository")
    copy_s_max: Seconds = Field(6 * 3600.0, description="a backup, restore or check that takes longer is ended")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if self.repository is not None and _tells_a_secret(self.repository):
            raise ValueError(
                "repository holds a name or password: write them as rest_user, rest_password, s3_key_id, s3_secret"
            )
        if (self.s3_key_id is None) != (self.s3_secret is None):
            raise ValueError("s3_key_id and s3_secret belong together: set both or none")
        if not any((self.keep_last, self.keep_hourly, self.keep_daily, self.keep_weekly, self.keep_monthly)):
            raise ValueError("keep_last ... keep_monthly are all 0: nothing would be kept")
        return self


def _tells_a_secret(repository: str) -> bool:
    """`sftp:user@host` is no secret, a password anywhere is."""
    scheme, _, place = repository.partition(":")
    if scheme not in ("s3", "rest", "sftp"):
        return False
    address = urlsplit(place if scheme != "sftp" else repository)
    return bool(address.password) or (scheme != "sftp" and bool(address.username))
