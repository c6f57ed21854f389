"""Where a restore is put together: beside its target, so that one rename makes it whole; one restore at a time."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath

from ares.errors import BackupIncomplete, StateDirUnusable, UsageError
from backup.manifest import manifest_file

QUESTDB, CHECKPOINT = "questdb", ".checkpoint"
MANIFEST = str(manifest_file(Path()))
MANIFEST_DEPTH = len(Path(MANIFEST).parts) - 1
ELSEWHERE = "restored"
"""In the new state directory: what did not lie in the old one, under its full path."""


@contextmanager
def staged(target: Path, *, keep: bool = True) -> Iterator[Path]:
    """An empty folder that becomes `target` when the block ends well; what a killed restore left is removed.

    Without `keep` it is only for the block.

    Raises `UsageError` for a target that holds something, or that another restore works on.
    """
    target = target.resolve()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"to = {str(target)!r}: it is not empty, and nothing is overwritten. Name a new folder")
    staging = target.with_name(f".{target.name}.restoring")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lock = target.with_name(f".{target.name}.restoring.lock").open("wb")
    except OSError as error:
        raise StateDirUnusable(str(target), error.strerror or str(error)) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UsageError(f"to = {str(target)!r}: another restore works there. Wait for it to end") from None
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        try:
            yield staging
            if keep:
                staging.rename(target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
            Path(lock.name).unlink(missing_ok=True)


def unpacked(target: Path) -> AbstractContextManager[Path]:
    """An empty folder that is gone when the block ends. Raises as `staged`."""
    return staged(target, keep=False)


def arrange(brought: Path, paths: Sequence[str], state_dir: Path) -> None:
    """Move what restic brought back by full paths to where it belongs in a state directory.

    QuestDB's root is where its checkpoint lies; the old state directory is where the list of partitions says it was.
    Raises `BackupIncomplete` if there is no checkpoint.
    """
    there = [PurePosixPath(path) for path in paths if under(brought, PurePosixPath(path)).exists()]
    root = next((path.parent for path in there if path.name == CHECKPOINT), None)
    if root is None:
        raise BackupIncomplete(f"snapshot of {', '.join(paths)}: no checkpoint is in it. Take another with --at")
    kept_in = next((path.parents[MANIFEST_DEPTH] for path in there if path.match(MANIFEST)), root.parent)
    for path in there:
        place = _place(path, root, kept_in)
        (state_dir / place).parent.mkdir(parents=True, exist_ok=True)
        under(brought, path).rename(state_dir / place)


def _place(path: PurePosixPath, root: PurePosixPath, state_dir: PurePosixPath) -> PurePosixPath:
    if path.is_relative_to(root):
        return PurePosixPath(QUESTDB) / path.relative_to(root)
    if path.is_relative_to(state_dir):
        return path.relative_to(state_dir)
    return PurePosixPath(ELSEWHERE, *path.parts[1:])


def under(folder: Path, path: PurePosixPath) -> Path:
    """Where restic put what had that full path."""
    return folder.joinpath(*path.parts[1:])
