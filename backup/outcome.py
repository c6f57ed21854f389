"""What restic says, in our words: the one map from its messages to our tree of errors."""

from __future__ import annotations

import re

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

WORDS_MAX = 400
BRINGING_BACK = ("restore", "dump")
"""What fills our disk, not the repository's."""
LINES_MAX = 100
"""A broken repository complains of every pack; the first lines and the last say what it is."""

_FIGURES = re.compile(r"(?<=retrying after )[0-9.]+[a-zµ]+|(?<=>), \d+, \d+(?=\))")
"""Durations and places in files, which may look like a server's answer: 507 ms is no 507."""

_MEANINGS: tuple[tuple[str, type[BackupError], str], ...] = (
    (
        r"wrong password or no key found",
        RepositoryDenied,
        "backup.password, or else <state_dir>/backup/repository.key, must be what it was made with",
    ),
    (r"already locked", RepositoryLocked, "another program works on it; try again when that is done"),
    (r"no space left on device|disk quota exceeded|\b507\b", RepositoryFull, "make room, or lower backup.keep_*"),
    (
        (
            r"dial tcp|connection refused|connection reset|no such host|i/o timeout|network is unreachable"
            r"|ssh: connect to host|could not resolve hostname|connection closed|\b50[234]\b|broken pipe"
        ),
        RepositoryUnavailable,
        "check the address in backup.repository and the network",
    ),
    (
        (
            r"access ?denied|invalidaccesskeyid|signaturedoesnotmatch|\b40[13]\b|permission denied"
            r"|host key verification failed|x509:"
        ),
        RepositoryDenied,
        "check the credentials of backup.* and who may write there",
    ),
    (
        r"unable to start the sftp session|unexpected eof|i/o error|input/output error",
        RepositoryUnavailable,
        "check the address in backup.repository and the network",
    ),
    (
        (
            r"repository contains errors|ciphertext verification failed|does not match|pack [0-9a-f]+: does not exist"
            r"|id mismatch|invalid data returned|config cannot be loaded|not referenced in any index|load\(<data/"
        ),
        RepositoryBroken,
        "run `ares backup check`, keep what is left, and begin a new repository beside it",
    ),
    (
        r"is there a repository at the following location|nosuchbucket|specified bucket does not exist",
        RepositoryMissing,
        "`ares backup run` makes it on first use; check backup.repository",
    ),
    (r"no matching id found|no snapshot found|invalid id", RepositoryMissing, "see `ares backup list` for what it has"),
)


def failure(verb: str, repository: str, told: str) -> BackupError:
    """The error for what restic said on its way out; unknown words stay as they are."""
    lines = [line.strip() for line in told.splitlines() if line.strip()]
    text = " | ".join(lines if len(lines) <= LINES_MAX else [*lines[: LINES_MAX - 10], *lines[-10:]])
    words = _FIGURES.sub("", text)
    for pattern, kind, way_out in _MEANINGS:
        if re.search(pattern, words, re.IGNORECASE):
            said = f"repository {repository}: restic {verb} failed: {_short(text)}. Way out: "
            if kind is RepositoryFull and verb in BRINGING_BACK:
                return BackupIncomplete(f"{said}make room on the disk that it is restored to")
            return kind(said + way_out)
    return BackupIncomplete(f"repository {repository}: restic {verb} failed: {_short(text) or 'it said nothing'}")


def _short(text: str) -> str:
    return text if len(text) <= WORDS_MAX else f"{text[:WORDS_MAX]} ..."
