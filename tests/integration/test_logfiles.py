"""Goal: log files stay small, and no line that was ever written is lost, doubled or torn on the way."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config.settings import AresConfig, EnvironmentConfig, MonitoringConfig
from ares.service import ServiceContext, logfiles
from ares.service.logfiles import cut_head, foreign_log_kept_small, log_file

OWN = """
import sys, threading
from pathlib import Path
from ares.service.logfiles import rotate_own

path, stop = Path(sys.argv[1]), threading.Event()

def say():
    number = 0
    while not stop.is_set():
        sys.stderr.write(f"line {number:08d} {'x' * 80}\\n")  # one write a line, as our logger does it
        number += 1

speaker = threading.Thread(target=say)
speaker.start()
for _ in range(4):
    stop.wait(0.2)
    rotate_own(path, 9)
stop.set()
speaker.join()
"""
FOREIGN = """
import sys
number = 0
while True:
    print(f"line {number:08d} {'x' * 80}", flush=True)
    number += 1
"""


def everything(path: Path) -> bytes:
    """All that was ever written, oldest first."""
    archives = sorted(path.parent.glob(f"{path.name}.*.gz"), key=lambda each: -int(each.name.split(".")[-2]))
    return b"".join(gzip.decompress(each.read_bytes()) for each in archives) + path.read_bytes()


def numbers(text: bytes) -> list[int]:
    lines = text.splitlines()
    assert all(line.endswith(b"x" * 80) and line.startswith(b"line ") for line in lines)
    return [int(line.split()[1]) for line in lines]


@contextmanager
def speaking(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program that never stops to talk and knows nothing of us."""
    with path.open("ab") as log:
        process = subprocess.Popen([sys.executable, "-c", FOREIGN], stdout=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(path: Path, size: int) -> None:
    while not path.exists() or path.stat().st_size < size:
        time.sleep(0.01)


def test_service_rotates_its_own_log_and_every_line_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", OWN, path], stderr=log, check=True, timeout=120)
    assert len(list(tmp_path.glob("trader.log.*.gz"))) == 4
    for archive in tmp_path.glob("*.gz"):
        assert gzip.decompress(archive.read_bytes()).endswith(b"\n"), "whole lines only"
        assert archive.stat().st_mode & 0o077 == 0
    said = numbers(everything(path))
    assert said == list(range(len(said)))
    assert not (tmp_path / "trader.log.1").exists()


def test_log_of_a_program_that_knows_nothing_is_cut_and_every_line_is_there_once(tmp_path: Path) -> None:
    path = tmp_path / "questdb.log"
    with speaking(path):
        for _ in range(3):
            wait_for(path, 200_000)
            cut_head(path, 9)
        wait_for(path, 1)
    said = numbers(everything(path))
    assert said == list(range(len(said)))
    assert path.stat().st_size < 10_000_000


def test_file_system_that_cannot_cut_has_the_file_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "_collapse", lambda descriptor, length: False)
    path = tmp_path / "questdb.log"
    path.write_bytes(b"a line\n" * 10_000)
    cut_head(path, 2)
    assert path.read_bytes() == b""
    assert gzip.decompress((tmp_path / "questdb.log.1.gz").read_bytes()) == b"a line\n" * 10_000


def test_oldest_archive_goes_when_there_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "questdb.log"
    for number in range(4):
        path.write_text(f"{number}\n" * 10_000, encoding="utf-8")
        cut_head(path, 2)
        path.write_bytes(b"")
    kept = {each.name: gzip.decompress(each.read_bytes())[:1] for each in tmp_path.glob("*.gz")}
    assert kept == {"questdb.log.1.gz": b"3", "questdb.log.2.gz": b"2"}


def test_rotation_that_was_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "trader.log"
    (tmp_path / "trader.log.1").write_text("left over\n", encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from ares.service.logfiles import rotate_own;"
        "sys.stderr.write('said\\n'); rotate_own(Path(sys.argv[1]), 5)"
    )
    with path.open("ab") as log:
        subprocess.run([sys.executable, "-c", program, path], stderr=log, check=True, timeout=60)
    assert everything(path) == b"left over\nsaid\n"


async def test_only_a_log_that_is_too_large_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logfiles, "LOOK_S", 0.01)
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path), monitoring=MonitoringConfig(log_mb_max=1, log_files_max=3)
    )
    path = log_file(tmp_path, "questdb")
    path.parent.mkdir()
    path.write_bytes(b"small\n")
    archive = path.with_name("questdb.log.1.gz")
    context = ServiceContext(config, SystemClock(), "supervisor@test")
    async with foreign_log_kept_small(context, path):
        await asyncio.sleep(0.2)
        assert not archive.exists()
        path.write_bytes(b"large\n" * 200_000)
        async with asyncio.timeout(30):
            while path.stat().st_size > 10_000:
                await asyncio.sleep(0.01)
    assert everything(path) == b"large\n" * 200_000


async def test_log_that_cannot_be_rotated_is_an_error_in_the_log_and_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logfiles._said(cut_head, tmp_path / "nowhere.log", 3)
    assert "log_not_rotated" in capsys.readouterr().out
