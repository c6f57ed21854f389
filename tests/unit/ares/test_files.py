"""Goal: a file is whole whenever somebody reads it, and what is made once is made by one."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from stat import S_IMODE
from threading import Barrier

import pytest

from ares.files import PRIVATE_MODE, make_once, write_whole

WRITERS = 16


def test_of_several_who_make_a_file_at_once_one_does_and_all_read_the_same(tmp_path: Path) -> None:
    path, begin = tmp_path / "keys" / "door.key", Barrier(WRITERS)

    def make(number: int) -> tuple[bool, bytes]:
        begin.wait()
        return make_once(path, f"{number:065536}".encode()), path.read_bytes()

    with ThreadPoolExecutor(WRITERS) as pool:
        found = list(pool.map(make, range(WRITERS)))
    assert [made for made, _ in found].count(True) == 1
    assert {content for _, content in found} == {path.read_bytes()}
    assert S_IMODE(path.stat().st_mode) == PRIVATE_MODE
    assert os.listdir(path.parent) == [path.name]


def test_what_is_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "token"
    assert make_once(path, b"first")
    assert not make_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "settings"
    write_whole(path, b"before", 0o644)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"after", 0o644)
    with pytest.raises(OSError, match="No space"):
        make_once(tmp_path / "key", b"half")
    assert path.read_bytes() == b"before"
    assert not (tmp_path / "key").exists()
