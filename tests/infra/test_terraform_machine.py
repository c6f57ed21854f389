"""Goal: a machine for QuestDB outside of the cluster mounts its disk, keeps what is on it, never writes beside it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import ROOT

SCRIPT = ROOT / "terraform" / "modules" / "tsdb" / "prepare.sh"
Prepare = Callable[..., subprocess.CompletedProcess[str]]


def test_script_is_clean() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([shellcheck, "--exclude=SC2154", SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty disk of this test alone."""
    if os.geteuid() != 0 or shutil.which("losetup") is None:
        pytest.skip("only root attaches disks: run it as root, with losetup (apt-get install mount)")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    attached = subprocess.run(
        ["losetup", "--find", "--show", str(image)], capture_output=True, text=True, check=False
    )  # fmt: skip
    if attached.returncode:
        pytest.skip(f"this machine attaches no disks: {attached.stderr.strip()}")
    yield Path(attached.stdout.strip())
    subprocess.run(["umount", "--quiet", tmp_path / "mount"], check=False)
    subprocess.run(["losetup", "--detach", attached.stdout.strip()], check=True)


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    """Runs the script as the machine would, but for the kernel, which is not a test's to change."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sysctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/sysctl.asked\n', encoding="utf-8")
    (programs / "sysctl").chmod(0o700)
    (tmp_path / "fstab").touch()

    def run(device: Path, wait_s: int = 1) -> subprocess.CompletedProcess[str]:
        settings = {
            "DEVICE": str(device), "MOUNT": str(tmp_path / "mount"), "FSTAB": str(tmp_path / "fstab"),
            "SYSCTL": str(tmp_path / "sysctl"), "LIMITS": str(tmp_path / "limits"), "WAIT_S": str(wait_s),
            "PATH": f"{programs}:{os.environ['PATH']}:/usr/sbin:/sbin",
        }  # fmt: skip
        return subprocess.run(
            ["bash", SCRIPT], env={**os.environ, **settings}, capture_output=True, text=True, timeout=60, check=False
        )

    return run


def test_an_empty_disk_gets_a_file_system_and_is_mounted(disk: Path, prepare: Prepare, tmp_path: Path) -> None:
    told = prepare(disk)
    assert told.returncode == 0, told.stderr
    assert os.path.ismount(tmp_path / "mount")
    assert "noatime" in next(line for line in Path("/proc/mounts").read_text().splitlines() if str(disk) in line)
    assert len((tmp_path / "fstab").read_text().splitlines()) == 1
    assert "vm.max_map_count = 1048576" in (tmp_path / "sysctl").read_text()
    assert (tmp_path / "sysctl.asked").read_text().strip() == f"--quiet --load={tmp_path / 'sysctl'}"


def test_what_is_on_a_disk_stays(disk: Path, prepare: Prepare, tmp_path: Path) -> None:
    prepare(disk)
    (tmp_path / "mount" / "row").write_text("acknowledged", encoding="utf-8")
    subprocess.run(["umount", tmp_path / "mount"], check=True)
    for _ in range(2):  # after a restart, and once more by hand
        told = prepare(disk)
        assert told.returncode == 0, told.stderr
        assert "it is kept" in told.stdout
    assert (tmp_path / "mount" / "row").read_text(encoding="utf-8") == "acknowledged"
    assert len((tmp_path / "fstab").read_text().splitlines()) == 1


def test_while_the_disk_is_away_nobody_writes_into_the_empty_folder(
    disk: Path, prepare: Prepare, tmp_path: Path
) -> None:
    prepare(disk)
    subprocess.run(["umount", tmp_path / "mount"], check=True)
    assert (tmp_path / "mount").stat().st_mode & 0o777 == 0


def test_a_disk_that_never_comes_is_said(prepare: Prepare, tmp_path: Path) -> None:
    told = prepare(tmp_path / "none")
    assert told.returncode == 1
    assert "was not attached within 1 s" in told.stderr
    assert not (tmp_path / "mount").exists()
