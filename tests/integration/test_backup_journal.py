"""Goal: while everybody commits, at most a minute of it is not in the repository, and a copy is never half."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config import AresConfig
from ares.config.backup import BackupConfig
from ares.config.settings import EnvironmentConfig
from ares.control import ControlStore, NewEvent
from ares.control.copying import require_whole
from ares.control.mirror import COVERED
from ares.service import ServiceContext
from ares.service.beside import beside
from backup.journal.keeper import keep_journal
from backup.repository import Repositories
from backup.restore.choice import choose
from tests.conftest import require_program
from tests.helpers import eventually


async def commit(control: ControlStore) -> None:
    seq = 0
    while True:
        seq = await asyncio.to_thread(control.append, "s", [NewEvent("a", seq, {"n": seq})], expected_seq=seq)


async def test_newest_copy_is_whole_has_all_that_it_says_and_is_never_old(tmp_path: Path) -> None:
    require_program("restic", "apt-get install restic")
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=tmp_path / "var"),
        backup=BackupConfig(repository=str(tmp_path / "repository"), journal_s=1.0),
    )
    context = ServiceContext(config, SystemClock(), "test")
    context.state_dir.mkdir()
    control = ControlStore.open(context.control_url)
    repository = Repositories(config.backup, context.state_dir).journal
    async with beside(commit(control), "commit"), beside(keep_journal(context, control), "keep_journal"):
        await eventually((tmp_path / "repository" / "journal" / "config").exists, 60)
        await eventually(lambda: len(repository.snapshots("journal")) >= 3, 60)
    snapshots = repository.snapshots("journal")
    for older, newer in pairwise(snapshots):
        assert newer.ts_ns - older.ts_ns < 60 * NANOS_PER_SECOND
    newest = snapshots[-1]
    with (tmp_path / "copy.db").open("wb") as file:
        repository.dump(newest.snapshot_id, newest.paths[0], file)
    require_whole(tmp_path / "copy.db")
    copied = ControlStore.open(f"sqlite:///{tmp_path / 'copy.db'}")
    seqs = [event.seq for event in copied.read("s")]
    assert seqs == list(range(1, len(seqs) + 1))
    covers_to_ns = choose([newest, newest.__class__("m", 1, "ares", ("market",), ())], newest.ts_ns).journal_to_ns
    assert covers_to_ns <= newest.ts_ns
    assert control.cursor(COVERED) == 0, "no market backup was made: mirrored rows are kept"
    copied.close()
    control.close()
