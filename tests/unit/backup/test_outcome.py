"""What restic says becomes the error that it means."""

from __future__ import annotations

import pytest

from ares.errors import (
    BackupError,
    BackupIncomplete,
    RepositoryBroken,
    RepositoryDenied,
    RepositoryFull,
    RepositoryLocked,
    RepositoryMissing,
    RepositoryUnavailable,
)
from backup.outcome import failure

THERE = "Is there a repository at the following location?\n/r"
GONE = "Load(<data/a9b1492076>, {0}, 0) returned error, retrying after {1}: The specified key does not exist."
SAID: tuple[tuple[str, type[BackupError]], ...] = (
    ("Fatal: wrong password or no key found", RepositoryDenied),
    ("unable to create lock in backend: repository is already locked by PID 9586 on vm by root", RepositoryLocked),
    ("Fatal: unable to save snapshot: write /r/data/73/7360-tmp: no space left on device", RepositoryFull),
    (f"Stat: dial tcp 127.0.0.1:1: connect: connection refused\n{THERE}", RepositoryUnavailable),
    ("subprocess ssh: ssh: connect to host 127.0.0.1 port 22: Connection refused", RepositoryUnavailable),
    ("subprocess ssh: user@host: Permission denied (publickey).\nunable to start the sftp session", RepositoryDenied),
    ("Fatal: unable to open config file: unexpected HTTP response (401): 401 Unauthorized", RepositoryDenied),
    ("Fatal: unable to open config file: Stat: Access Denied.\nIs there a repository at", RepositoryDenied),
    (f"Fatal: unable to open config file: stat /r/config: no such file\n{THERE}", RepositoryMissing),
    ("Fatal: repository contains errors", RepositoryBroken),
    ("ignoring error for /src/a: ciphertext verification failed\nFatal: There were 1 errors", RepositoryBroken),
    (GONE.format(0, "507.330144ms"), RepositoryBroken),
    (GONE.format(507, "1.080381816s"), RepositoryBroken),
    (f"pack a9b1: does not exist\n{GONE.format(403, '503ms')}", RepositoryBroken),
    (GONE.format(0, "552ms").replace("The specified key does not exist.", "507 Insufficient Storage"), RepositoryFull),
    ('invalid id "zzzz": no matching ID found for prefix "zzzz"', RepositoryMissing),
    ("Fatal: something that nobody has seen yet", BackupIncomplete),
    ("", BackupIncomplete),
)


@pytest.mark.parametrize(("said", "kind"), SAID)
def test_what_restic_says_is_understood(said: str, kind: type[BackupError]) -> None:
    error = failure("check", "/r", said)
    assert type(error) is kind
    assert "repository /r: restic check failed" in str(error)
    if kind is not BackupIncomplete:
        assert "Way out: " in str(error)


def test_long_complaints_are_cut() -> None:
    assert len(str(failure("check", "/r", "pack xyz\n" * 10_000))) < 1_000
