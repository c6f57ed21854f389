"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

PRIVATE_MODE = 0o600
"""Only who owns it may read it."""


def write_whole(path: Path, content: bytes, mode: int) -> None:
    """Replace a file; it never exists with wider permissions than it ends with. Raises `OSError`."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    _write_new(draft, content, mode)
    draft.replace(path)


def make_once(path: Path, content: bytes) -> bool:
    """Make a private file where there is none; False: there is. Of several who try at once one makes it, and all read
    what that one wrote. Raises `OSError`.
    """
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.new")
    try:
        _write_new(draft, content, PRIVATE_MODE)
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    return True


def _write_new(path: Path, content: bytes, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
