"""Goal: an upgrade of QuestDB is tried on a copy while the original goes on, and what it would break is told first."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig
from ares.errors import StateDirUnusable, UsageError
from ares.model.row import Row
from ares.service import ServiceContext
from ares.store import Database, RowWriter
from ares.store.migrations import migrations
from ares.store.queries import split_statements
from ares.store.server import EmbeddedQuestDB
from backup.rehearsal import scratch
from backup.rehearsal.commands import rehearse_command
from backup.rehearsal.rehearse import rehearse
from backup.rehearsal.scratch import copy_running, copy_stopped, scratch_config
from tests.helpers import ROOT
from tests.questdb import serving

OLDER, NOW = "9.3.2", "9.3.4"
OLDEST = (ROOT / "tests" / "fixtures" / "schema" / "oldest.sql").read_text(encoding="utf-8")
START_NS = 1_767_225_600 * NANOS_PER_SECOND
ROWS = 3_000
FULL = os.environ.get("ARES_TEST_REHEARSE", "") == "full"


async def _filled(config: DatabaseConfig) -> None:
    writer = RowWriter(config)
    async with await Database.connect(config) as database:
        for sql in split_statements(OLDEST):
            if FULL or re.search(r"EXISTS (trades|services|schema_migrations|lineage) ", sql):
                await database.execute(sql)
        words = {"venue": "sim", "symbol": "BTC/USDT", "side": "buy", "source": "stream"}
        trades = [
            Row("trades", START_NS + n * 60 * NANOS_PER_SECOND, words, {"trade_id": str(n), "seq": n, "price": n / 7})
            for n in range(ROWS)
        ]
        await writer.write(trades)
        await database.wait_applied(["trades"])
    await writer.close()


async def _count(config: DatabaseConfig) -> object:
    async with await Database.connect(config) as database:
        row = await database.fetch_one("SELECT count() AS n FROM trades")
        checkpoints = await database.fetch_one("SELECT in_progress FROM checkpoint_status()")
    return row, checkpoints


@pytest.fixture
def older(tmp_path: Path) -> Iterator[tuple[DatabaseConfig, EmbeddedQuestDB]]:
    """A QuestDB of an older version that runs, with the first release's tables and some trades."""
    config = scratch_config(DatabaseConfig(heap_mb=512, commit_mode="nosync"), OLDER)
    with serving(config, tmp_path / "original") as server:
        asyncio.run(_filled(config))
        yield config, server


def test_upgrade_reads_the_same_takes_migrations_and_writes_while_the_original_runs_on(
    older: tuple[DatabaseConfig, EmbeddedQuestDB], tmp_path: Path
) -> None:
    config, server = older
    folder = tmp_path / "copy"
    folder.mkdir()
    settings = AresConfig(environment=EnvironmentConfig(state_dir=server.root.parent), database=config)
    copied = asyncio.run(copy_running(ServiceContext(settings, SystemClock(), "test"), server.root, folder))
    said: list[str] = []
    done = rehearse(config, NOW, folder, copied_bytes=copied, clock=SystemClock(), report=said.append)
    assert done.differences == [], done.text()
    assert (done.rows, done.partitions) == (ROWS, 3)
    assert done.migrations == tuple(each.name for each in migrations())
    assert done.ratios is not None
    assert (done.back, len(said)) == ("reads the same", 3)
    assert asyncio.run(_count(config)) == ({"n": ROWS}, {"in_progress": False})
    assert not EmbeddedQuestDB(config, folder).running()


@pytest.mark.skipif(not FULL, reason="starts four servers on the whole schema: make rehearse-proof")
def test_downgrade_of_the_whole_schema_tells_which_views_it_would_lose(tmp_path: Path) -> None:
    config = scratch_config(DatabaseConfig(heap_mb=512, commit_mode="nosync"), NOW)
    with serving(config, tmp_path, schema=True) as server:
        pass
    folder = tmp_path / "copy"
    folder.mkdir()
    copied = copy_stopped(server.root, folder)
    done = rehearse(config, OLDER, folder, copied_bytes=copied, clock=SystemClock(), report=lambda _: None)
    assert {each.kind for each in done.differences} >= {"view"}
    assert done.back == "reads the same"


def test_version_that_runs_now_needs_no_rehearsal(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="that version runs now"):
        rehearse(
            DatabaseConfig(questdb_version=NOW),
            NOW,
            tmp_path,
            copied_bytes=0,
            clock=SystemClock(),
            report=lambda _: None,
        )


def test_copy_of_what_is_no_questdb_or_does_not_fit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="no QuestDB there"):
        copy_stopped(tmp_path, tmp_path)
    (tmp_path / "root" / "db").mkdir(parents=True)
    (tmp_path / "root" / "db" / "file").write_bytes(b"x" * 1_000)
    monkeypatch.setattr(scratch, "SPARE_SHARE", 1e15)
    with pytest.raises(StateDirUnusable, match="MiB free, and the copy takes"):
        copy_stopped(tmp_path / "root", tmp_path)


@pytest.mark.parametrize(
    ("version", "complaint"),
    [
        ("newest", "to = 'newest': not a version"),
        (NOW, "--root, --copy-of-state or --snapshot: name one of them"),
    ],
)
def test_rehearsal_of_what_was_not_said_is_refused(version: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        rehearse_command(to=version)


def test_files_of_a_questdb_elsewhere_cannot_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARES_DATABASE__MODE", "remote")
    monkeypatch.setenv("ARES_ENVIRONMENT__STATE_DIR", str(tmp_path))
    with pytest.raises(UsageError, match="the files of that QuestDB are not here"):
        rehearse_command(to=OLDER, copy_of_state=True)
    assert [each.name for each in tmp_path.iterdir()] == ["rehearsals"]
