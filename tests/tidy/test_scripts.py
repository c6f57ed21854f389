"""Shell scripts that operators run: clean, self-explaining, and honest about how they ended."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

FOLDER = ROOT / "backup" / "scripts"
SCRIPTS = [path for path in sorted(FOLDER.glob("*.sh")) if path.name != "common.sh"]
VERBS = {"backup": "run", "check": "check", "drill": "drill", "prune": "prune", "restore": "restore"}


def run(script: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *arguments], env={**os.environ, **variables}, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def command(tmp_path: Path) -> Path:
    """In place of `ares`: repeats what it was asked and ends with 7."""
    path = tmp_path / "ares"
    path.write_text('#!/bin/sh\necho "$@"\nexit 7\n')
    path.chmod(0o700)
    return path


def test_scripts_are_clean() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [shellcheck, "--external-sources", *FOLDER.glob("*.sh")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_script_is_there() -> None:
    assert {script.stem for script in SCRIPTS} == set(VERBS)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_script_explains_itself_and_keeps_arguments_and_exit_code(script: Path, command: Path) -> None:
    assert script.stat().st_mode & stat.S_IXUSR
    told = run(script, "--help")
    assert told.returncode == 0
    assert told.stdout.startswith(f"usage: {script.name} [--dry-run]")
    done = run(script, "--json", "two words", BACKUP_ARES=str(command))
    assert done.returncode == 7
    assert done.stdout == f"backup {VERBS[script.stem]} --json two words\n"
    assert "ended with 7" in done.stderr


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_dry_run_changes_nothing(script: Path, command: Path) -> None:
    done = run(script, "--dry-run", BACKUP_ARES=str(command))
    if script.stem == "prune":  # the command itself tells what would go
        assert done.stdout == "backup prune --dry-run\n"
    else:
        assert (done.returncode, done.stdout) == (0, "")
        assert f"would run: {command} backup {VERBS[script.stem]}" in done.stderr


def test_script_without_a_command_says_where_it_looked(command: Path) -> None:
    done = run(FOLDER / "check.sh", BACKUP_ARES=str(command.with_name("none")))
    assert done.returncode == 2
    assert "BACKUP_ARES" in done.stderr
