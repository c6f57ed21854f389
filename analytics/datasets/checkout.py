"""Puts a version of a dataset into a folder: its files byte for byte, and beside them what it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import orjson

from ares.errors import OperatingError, UsageError
from ares.files import write_whole

MANIFEST = "dataset.json"


def put(folder: Path, files: Iterable[tuple[str, bytes]], manifest: dict[str, object]) -> bool:
    """Fill a folder so that it is there whole or not at all; False if it holds just this already.

    Raises `UsageError` for a folder with something else in it, `OperatingError` where the disk refuses.
    """
    wanted = dict(files)
    wanted[MANIFEST] = orjson.dumps(manifest, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    try:
        if folder.exists() and any(folder.iterdir()):
            if _holds(folder) == wanted:
                return False
            raise UsageError(f"to = {folder.as_posix()!r}: holds something else. Name a folder that is new or empty")
        _fill(folder, wanted)
    except OSError as error:
        raise OperatingError(f"{folder}: {error.strerror or error}") from None
    return True


def _fill(folder: Path, wanted: dict[str, bytes]) -> None:
    folder = folder.absolute()
    draft = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for name, content in wanted.items():
        write_whole(draft / name, content, 0o644)
    if folder.exists():
        folder.rmdir()
    draft.rename(folder)


def _holds(folder: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in folder.iterdir() if each.is_file()}
