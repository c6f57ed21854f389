"""Settings of backups: no secret where it would be seen, no key beside the data in production."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from ares.clock import SystemClock
from ares.config.backup import BackupConfig
from ares.config.load import refuse_backups_without_password
from ares.config.settings import AresConfig, EnvironmentConfig
from ares.errors import ConfigError
from ares.service import ServiceContext
from backup.restic import environment, sftp_command
from backup.sources import MarketSource, questdb_root


@pytest.mark.parametrize(
    "place", ["rest:https://me:word@host/", "s3:https://key:secret@host/b", "sftp://me:word@host//r"]
)
def test_repository_with_a_secret_in_it_is_refused(place: str) -> None:
    with pytest.raises(ValidationError, match="rest_user"):
        BackupConfig(repository=place)


@pytest.mark.parametrize(
    "place", ["/a/b", "relative", "s3:https://host/b/r", "sftp:me@host:/r", "sftp://me@host:22//r"]
)
def test_repository_without_a_secret_is_taken(place: str) -> None:
    assert BackupConfig(repository=place).repository == place


def test_retention_that_keeps_nothing_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing would be kept"):
        BackupConfig(keep_last=0, keep_hourly=0, keep_daily=0, keep_weekly=0, keep_monthly=0)


def test_key_beside_the_data_is_for_dev_only() -> None:
    prod = AresConfig(environment=EnvironmentConfig(profile="prod"), backup=BackupConfig(repository="/r"))
    with pytest.raises(ConfigError, match=r"backup\.password"):
        refuse_backups_without_password(prod)
    refuse_backups_without_password(prod.model_copy(update={"backup": BackupConfig(repository="/r", password="word")}))
    refuse_backups_without_password(prod.model_copy(update={"environment": EnvironmentConfig()}))


def test_login_of_a_rest_server_is_in_the_environment_only() -> None:
    config = BackupConfig(repository="rest:https://host:8000/a/", rest_user="me", rest_password="p@ss/word")
    given = environment(config, "word", Path("/cache"))
    assert given["RESTIC_REPOSITORY"] == "rest:https://me:p%40ss%2Fword@host:8000/a/"
    assert "p@ss" not in str(config.repository)


def test_settings_of_ours_do_not_leak_to_restic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARES_DATABASE__PASSWORD", "not for restic")
    monkeypatch.setenv("RESTIC_PASSWORD_COMMAND", "curl elsewhere")
    given = environment(BackupConfig(repository="/r"), "word", Path("/cache"))
    assert not {"ARES_DATABASE__PASSWORD", "RESTIC_PASSWORD_COMMAND"} & set(given)


def test_ssh_never_asks_and_takes_our_key_and_port() -> None:
    config = BackupConfig(repository="sftp://me@host:2222//r", sftp_key_file=Path("/a key"))
    command = sftp_command(config)
    assert command.startswith("sftp.command=ssh -o BatchMode=yes")
    assert "-i '/a key'" in command
    assert command.endswith("-p 2222 me@host -s sftp")
    assert sftp_command(BackupConfig(repository="sftp:me@host:/r")).endswith(" me@host -s sftp")
    assert sftp_command(BackupConfig(repository="/r")) == ""


def test_lake_on_this_machine_is_in_the_backup_and_one_elsewhere_is_not(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    here = AresConfig(environment=EnvironmentConfig(state_dir=tmp_path))
    s3 = here.model_copy(update={"lake": here.lake.model_copy(update={"location": "s3://cold/prod"})})
    beside = [MarketSource(ServiceContext(config, SystemClock(), "test"))._beside() for config in (here, s3)]
    assert [tmp_path / "lake" in paths for paths in beside] == [True, False]


def test_remote_database_needs_its_disk_here(tmp_path: Path) -> None:
    remote = AresConfig().model_copy(
        update={"database": AresConfig().database.model_copy(update={"mode": "remote"}), "backup": BackupConfig()}
    )
    with pytest.raises(ConfigError, match=r"backup\.questdb_dir"):
        questdb_root(remote)
    mounted = remote.model_copy(update={"backup": BackupConfig(questdb_dir=tmp_path)})
    with pytest.raises(ConfigError, match="no folder db"):
        questdb_root(mounted)
    (tmp_path / "db").mkdir()
    assert questdb_root(mounted) == tmp_path
