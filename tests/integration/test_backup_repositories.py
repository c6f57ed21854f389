"""Repositories of every kind, sound and broken, reached and not, through the one door to restic."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config.backup import BackupConfig
from ares.config.settings import AresConfig, EnvironmentConfig
from ares.control import ControlStore
from ares.errors import (
    BackupIncomplete,
    RepositoryBroken,
    RepositoryDenied,
    RepositoryFull,
    RepositoryLocked,
    RepositoryMissing,
    RepositoryUnavailable,
)
from ares.service import ServiceContext
from backup.repository import Repositories, Repository
from backup.run import Backups
from tests.backups import content, locked_by_a_living_program
from tests.conftest import free_port, require_program
from tests.helpers import ares
from tests.rest_repository import PASSWORD, USER, running_rest
from tests.s3 import running_s3
from tests.sftp import running_sftp

FEW = {"keep_last": 1, "keep_hourly": 0, "keep_daily": 0, "keep_weekly": 0, "keep_monthly": 0}


@pytest.fixture(scope="module", autouse=True)
def restic() -> str:
    return require_program("restic", "apt-get install restic")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files that do not compress, one of them larger than a pack."""
    folder = tmp_path / "source"
    (folder / "deep").mkdir(parents=True)
    chance = random.Random(3)
    (folder / "large").write_bytes(chance.randbytes(5_000_000))
    (folder / "deep" / "small").write_bytes(chance.randbytes(1_000))
    (folder / "empty").touch()
    return folder


@pytest.fixture(scope="module")
def new(restic: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty repository; making one is slow on purpose, for the sake of its password."""
    folder = tmp_path_factory.mktemp("new")
    Repository(BackupConfig(repository=str(folder / "r"), password="correct horse"), folder / "state").ensure()
    return folder / "r"


@pytest.fixture
def config(new: Path, tmp_path: Path) -> BackupConfig:
    """Settings of a repository that is there."""
    shutil.copytree(new, tmp_path / "repository")
    return BackupConfig(repository=str(tmp_path / "repository"), password="correct horse", lock_wait_s=2)


def repository_at(config: BackupConfig, tmp_path: Path) -> Repository:
    return Repository(config, tmp_path / "state")


def changed(config: BackupConfig, **settings: object) -> BackupConfig:
    return BackupConfig.model_validate({**config.model_dump(), **settings})


@pytest.fixture(params=["local", "s3", "sftp", "rest"])
def anywhere(request: pytest.FixtureRequest, config: BackupConfig, tmp_path: Path) -> Iterator[BackupConfig]:
    """Settings of each kind of a place where no repository is yet."""
    config = changed(config, repository=str(tmp_path / "fresh"))
    with ExitStack() as stack:
        if request.param == "s3":
            url = stack.enter_context(running_s3(free_port(), "backups"))
            config = changed(config, repository=f"s3:{url}/backups/ares", s3_key_id="key", s3_secret="secret-of-s3")
        elif request.param == "sftp":
            there = stack.enter_context(running_sftp(tmp_path / "sshd", free_port()))
            place = f"sftp://{there.user}@127.0.0.1:{there.port}/{tmp_path}/over-sftp"
            files = {"sftp_key_file": there.key_file, "sftp_known_hosts_file": there.known_hosts_file}
            config = changed(config, repository=place, **files)
        elif request.param == "rest":
            url = stack.enter_context(running_rest(tmp_path / "over-rest", free_port()))
            config = changed(config, repository=url, rest_user=USER, rest_password=PASSWORD)
        yield config


def test_what_was_put_into_a_repository_of_any_kind_comes_back_byte_by_byte(
    anywhere: BackupConfig, source: Path, tmp_path: Path
) -> None:
    both = Repositories(anywhere, tmp_path / "state")
    both.market.ensure()
    seen: list[tuple[int, int]] = []
    made = both.market.backup([source], ["market", "id=1"], progress=lambda done, total: seen.append((done, total)))
    assert (made.files, made.bytes_total) == (3, 5_001_000)
    assert made.bytes_added > 5_000_000
    assert seen
    both.journal.ensure()
    both.journal.backup([source / "deep"], ["journal"])
    assert [each.tags for each in both.snapshots()] == [("market", "id=1"), ("journal",)]
    both.market.check(read_all=True)
    both.market.restore(made.snapshot_id, tmp_path / "back")
    assert content(tmp_path / "back" / source.relative_to("/")) == content(source)


def test_one_file_and_one_folder_come_back_alone(config: BackupConfig, source: Path, tmp_path: Path) -> None:
    repository = repository_at(config, tmp_path)
    made = repository.backup([source], ["market"])
    with (tmp_path / "one").open("wb") as file:
        repository.dump(made.snapshot_id, str(source / "large"), file)
    assert (tmp_path / "one").read_bytes() == (source / "large").read_bytes()
    repository.restore(made.snapshot_id, tmp_path / "some", [str(source / "deep")])
    assert list(content(tmp_path / "some")) == [str((source / "deep" / "small").relative_to("/"))]


def test_retention_counts_each_kind_for_itself(config: BackupConfig, source: Path, tmp_path: Path) -> None:
    repository = repository_at(changed(config, **FEW), tmp_path)
    made = [repository.backup([source / "deep"], [kind]).snapshot_id for kind in ("market", "journal", "market")]
    assert repository.forget("market", dry_run=True).removed == (made[0],)
    assert len(repository.snapshots()) == 3
    assert repository.forget("market").kept == (made[2],)
    repository.prune()
    assert [each.snapshot_id for each in repository.snapshots()] == made[1:]


def test_flipped_bytes_are_found_and_said_by_row_metric_and_exit_code(
    config: BackupConfig, source: Path, tmp_path: Path
) -> None:
    repository = repository_at(config, tmp_path)
    repository.backup([source], ["market"])
    pack = max((tmp_path / "repository" / "data").rglob("*"), key=lambda path: path.is_file() and path.stat().st_size)
    pack.chmod(0o600)
    with pack.open("r+b") as file:
        file.seek(pack.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    variables = {
        "ARES_ENVIRONMENT__STATE_DIR": str(tmp_path / "state"),
        "ARES_BACKUP__REPOSITORY": str(config.repository),
        "ARES_BACKUP__PASSWORD": "correct horse",
    }
    told = ares("backup", "check", "--read-data", **variables)
    assert told.returncode == 1
    assert "way out" in told.stderr.lower()
    assert "correct horse" not in told.stderr
    metrics = (tmp_path / "state" / "metrics" / "backup.prom").read_text()
    assert 'ares_backup_repository_sound{kind="check"} 0.0' in metrics
    control = ControlStore.open(f"sqlite:///{tmp_path / 'state' / 'control.db'}")
    rows = [entry.row for entry in control.outbox(0, 100) if entry.row.table == "backups"]
    control.close()
    assert [row.symbols for row in rows] == [{"kind": "check", "status": "repository_broken"}]
    sound_part = 2 - int(pack.name[:2], 16) % 2
    settings = AresConfig(environment=EnvironmentConfig(state_dir=tmp_path / "state"), backup=config)
    control = ControlStore.open(f"sqlite:///{tmp_path / 'state' / 'control.db'}")
    looked = Backups(ServiceContext(settings, SystemClock(), "test"), control)
    assert asyncio.run(looked.check(part=(sound_part, 2))) == f"{sound_part}/2"
    control.close()
    metrics = (tmp_path / "state" / "metrics" / "backup.prom").read_text()
    assert 'ares_backup_repository_sound{kind="check"} 0.0' in metrics, "another part is sound, that one is not"
    with pytest.raises(RepositoryBroken):
        repository.restore(repository.snapshots()[0].snapshot_id, tmp_path / "back")


async def test_checks_read_one_part_after_the_other(config: BackupConfig, source: Path, tmp_path: Path) -> None:
    settings = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path / "state"), backup=changed(config, check_parts=2)
    )
    repository = repository_at(config, tmp_path)
    repository.backup([source], ["market"])
    context = ServiceContext(settings, SystemClock(), "test")
    control = ControlStore.open(context.control_url)
    parts = [await Backups(context, control).check() for _ in range(3)]
    control.close()
    assert parts == ["1/2", "2/2", "1/2"]


def test_wrong_password_is_said(config: BackupConfig, tmp_path: Path) -> None:
    with pytest.raises(RepositoryDenied, match=r"backup\.password") as refused:
        repository_at(changed(config, password="battery staple"), tmp_path).snapshots()
    assert "battery staple" not in str(refused.value)


@pytest.mark.parametrize(
    "place",
    ["s3:http://127.0.0.1:{port}/bucket/r", "sftp://nobody@127.0.0.1:{port}//r", "rest:http://127.0.0.1:{port}/"],
)
def test_repository_that_does_not_answer_is_away(config: BackupConfig, tmp_path: Path, port: int, place: str) -> None:
    with pytest.raises(RepositoryUnavailable):
        repository_at(changed(config, repository=place.format(port=port), answer_s_max=30), tmp_path).ensure()


def test_rest_server_that_does_not_know_us_denies(config: BackupConfig, tmp_path: Path, port: int) -> None:
    with running_rest(tmp_path / "over-rest", port) as url, pytest.raises(RepositoryDenied):
        repository_at(changed(config, repository=url, rest_user=USER, rest_password="another"), tmp_path).ensure()


def test_place_without_a_repository_says_so(config: BackupConfig, tmp_path: Path) -> None:
    with pytest.raises(RepositoryMissing, match="ares backup run"):
        repository_at(changed(config, repository=str(tmp_path / "nothing")), tmp_path).snapshots()


def test_full_disk_of_the_repository_is_said(
    config: BackupConfig, source: Path, small_disk: Path, tmp_path: Path
) -> None:
    repository = repository_at(changed(config, repository=str(small_disk / "r")), tmp_path)
    repository.ensure()
    with pytest.raises(RepositoryFull, match="make room"):
        repository.backup([source], ["market"])


def test_source_that_is_not_there_or_cannot_be_read_makes_no_backup(config: BackupConfig, tmp_path: Path) -> None:
    repository = repository_at(config, tmp_path)
    with pytest.raises(BackupIncomplete, match="no such file or folder"):
        repository.backup([tmp_path / "gone"], ["market"])
    with pytest.raises(BackupIncomplete, match="cannot be read"):
        repository.backup([Path("/proc/self/mem")], ["market"])  # reads of its start fail, for root too
    assert repository.snapshots() == [], "half of it would be restored one day"


def test_lock_of_a_dead_program_is_taken_away_and_a_living_ones_is_waited_for(
    config: BackupConfig, source: Path, tmp_path: Path
) -> None:
    repository = repository_at(changed(config, **FEW), tmp_path)
    repository.backup([source], ["market"])
    environ = {**os.environ, "RESTIC_PASSWORD": "correct horse", "RESTIC_REPOSITORY": str(config.repository)}
    living = subprocess.Popen(
        ["restic", "backup", "--stdin", "--no-cache"],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        locks = tmp_path / "repository" / "locks"
        until_s = time.monotonic() + 20
        while not list(locks.iterdir()) and time.monotonic() < until_s:
            time.sleep(0.02)
        with pytest.raises(RepositoryLocked):
            repository.prune()
        assert list(locks.iterdir())
    finally:
        living.kill()
        living.communicate()
    repository.prune()
    assert not list(locks.iterdir())


def test_prune_of_the_market_holds_up_neither_the_journal_nor_a_restore_and_who_gives_up_copies_nothing(
    config: BackupConfig, new: Path, source: Path, tmp_path: Path
) -> None:
    waiting: list[float] = []
    both = Repositories(changed(config, lock_wait_s=1.5), tmp_path / "state")
    gives_up = Repository(config, tmp_path / "state", lambda seconds: (waiting.append(seconds), gives_up.abort())[0])
    shutil.copytree(new, tmp_path / "repository" / "journal")
    made = both.market.backup([source], ["market"])
    with locked_by_a_living_program(tmp_path / "repository", "correct horse"):
        with pytest.raises(RepositoryLocked):
            both.market.backup([source], ["market"])
        both.journal.backup([source / "deep"], ["journal"])
        both.market.restore(made.snapshot_id, tmp_path / "back")
        with pytest.raises(BackupIncomplete, match="asked to end"):
            gives_up.backup([source], ["market"])
    assert waiting
    assert content(tmp_path / "back" / source.relative_to("/")) == content(source)
    both.market.prune()
    assert [(each.tags, each.paths) for each in both.snapshots()] == [
        (("market",), (str(source),)), (("journal",), (str(source / "deep"),))
    ]  # fmt: skip
    assert {kind: each.location for kind, each in both.all().items()} == {
        "market": config.repository, "journal": f"{config.repository}/journal"
    }  # fmt: skip


def test_secrets_reach_restic_by_its_environment_and_never_by_its_arguments(
    config: BackupConfig, tmp_path: Path
) -> None:
    spy = tmp_path / "spy"
    spy.write_text(f'#!/bin/sh\necho "$0 $*" >> {tmp_path}/arguments\nenv >> {tmp_path}/environment\necho "{{}}"\n')
    spy.chmod(0o700)
    given = {"s3_key_id": "key-of-s3", "s3_secret": "secret-of-s3", "upload_kib_s_max": 77}
    seen = changed(config, restic=str(spy), repository="s3:https://host/bucket", **given)
    repository_at(seen, tmp_path).prune()
    arguments, environment = (tmp_path / "arguments").read_text(), (tmp_path / "environment").read_text()
    assert "--limit-upload=77" in arguments
    for secret in ("correct horse", "secret-of-s3"):
        assert secret not in arguments
        assert secret in environment


def test_key_is_made_in_dev_and_kept_from_others(config: BackupConfig, tmp_path: Path) -> None:
    config = changed(config, password=None, repository=str(tmp_path / "fresh"))
    repository = repository_at(config, tmp_path)
    repository.ensure()
    key = tmp_path / "state" / "backup" / "repository.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.rename(key.with_name("lost"))
    with pytest.raises(RepositoryDenied, match=r"repository\.key"):
        repository_at(config, tmp_path).snapshots()
