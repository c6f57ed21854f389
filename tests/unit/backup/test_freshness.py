"""Files that QuestDB writes through memory maps are read again where their times may lie."""

from __future__ import annotations

import mmap
import os
import time
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND
from backup.freshness import renew_young, times_tell


@pytest.fixture(autouse=True)
def on_a_disk(tmp_path: Path) -> None:
    if not times_tell(tmp_path):
        pytest.skip(f"{tmp_path} is on a file system like tmpfs; run the tests with --basetemp on a disk")


def test_kernel_hides_a_second_write_to_a_dirty_page_and_renewing_shows_it(tmp_path: Path) -> None:
    path = tmp_path / "column.d"
    path.write_bytes(bytes(mmap.PAGESIZE))
    os.sync()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), mmap.PAGESIZE) as page:
        page[0] = 1
        seen_ns = path.stat().st_mtime_ns  # what a backup notes
        time.sleep(0.05)
        page[1] = 2
        assert path.stat().st_mtime_ns == seen_ns
    assert renew_young([tmp_path], seen_ns, time.time_ns()) == 1
    assert path.stat().st_mtime_ns > seen_ns


def test_old_files_keep_their_times(tmp_path: Path) -> None:
    old, young = tmp_path / "old", tmp_path / "young"
    for path in (old, young):
        path.touch()
    now_ns = time.time_ns()
    os.utime(old, ns=(now_ns - 3600 * NANOS_PER_SECOND,) * 2)
    before_ns = old.stat().st_mtime_ns
    assert renew_young([tmp_path], now_ns, now_ns + 1) == 1
    assert old.stat().st_mtime_ns == before_ns
    assert young.stat().st_mtime_ns == now_ns + 1


def test_disk_is_asked_whether_its_times_tell_and_a_place_that_cannot_be_asked_does_not(tmp_path: Path) -> None:
    assert times_tell(tmp_path)
    assert not list(tmp_path.iterdir())
    assert not times_tell(tmp_path / "nowhere")
