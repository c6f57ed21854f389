"""Backups of a QuestDB that is written to meanwhile: what is in them, who holds them up, what they leave behind."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import psutil
import pytest

from ares.commands.services import optional_services
from ares.config.backup import BackupConfig
from ares.config.settings import DatabaseConfig
from ares.errors import BackupIncomplete, RepositoryLocked, RepositoryMissing, UnknownName
from ares.model.row import Row
from ares.service import ServiceContext
from ares.service.beside import beside
from ares.service.jobs import run_job
from ares.store import Database
from ares.store.server import EmbeddedQuestDB
from backup import run as backup_run
from backup.checkpoint import NOTE, checkpoint
from backup.jobs import BACKUP, CHECK, PRUNE
from backup.lock import LOCK, only_one
from backup.rehearsal import scratch
from backup.rehearsal.scratch import bring_backup, copy_running, copy_stopped
from backup.restore.scratch import TRIGGER
from backup.run import release_left_over
from backup.service import BackupService
from backup.sources import Prepared
from backup.unproved import Unproved
from tests.backups import Installation, content, facts, installation, locked_by_a_living_program
from tests.conftest import free_port, require_program
from tests.helpers import ares, eventually, running


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    require_program("restic", "apt-get install restic")
    with installation(tmp_path_factory.mktemp("backup")) as running:
        yield running


async def rows_of(there: Installation, kind: str) -> list[Row]:
    async with there.backups() as (_, control):
        rows = [entry.row for entry in control.outbox(0, 10_000)]
    return [row for row in rows if row.table == "backups" and row.symbols["kind"] == kind]


def children_called(name: str) -> list[psutil.Process]:
    """Those of this process; one that ends while it is asked is none."""
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if child.name() == name:
                found.append(child)
    return found


async def write_on(there: Installation) -> None:
    while True:
        await there.write(500)
        await asyncio.sleep(0.02)


async def test_backup_made_while_rows_come_in_is_a_whole_database(there: Installation, tmp_path: Path) -> None:
    note = tmp_path / "grafana" / "grafana.db"
    note.parent.mkdir()
    note.write_bytes(b"\0dashboards\xff")
    with_note = there.with_backup(extra_paths=[str(note.parent)])
    await there.write(100_000)
    before = there.rows
    async with beside(write_on(there), "write_on"), with_note.backups() as (backups, _):
        made = await backups.run("market")
        during = there.rows
    target = tmp_path / "restored"
    backups.repositories.market.restore(made.snapshot.snapshot_id, target)
    assert content(target / note.parent.relative_to("/")) == {"grafana.db": b"\0dashboards\xff"}
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    rows, last, total = await restored_facts(target / str(there.state_dir)[1:] / "questdb", scratch)
    assert before <= rows <= during
    assert last == rows
    assert total == rows * (rows + 1) // 2
    assert await there.checkpoint() is None
    assert made.covers_to_ns is not None
    assert made.checkpoint_s is not None


async def restored_facts(root: Path, state_dir: Path) -> tuple[int, int, int]:
    """What a QuestDB sees that is started on a restored folder."""
    ports = {name: free_port() for name in ("http_port", "pg_port", "health_port")}
    config = DatabaseConfig(heap_mb=384, **ports)
    server = EmbeddedQuestDB(config, state_dir)
    shutil.move(root, server.root)
    server.root.joinpath("_restore").touch()
    try:
        await asyncio.to_thread(server.start)
        return await facts(config)
    finally:
        await asyncio.to_thread(server.stop)


async def test_second_backup_adds_what_is_new(there: Installation) -> None:
    await there.write(200_000)
    async with there.backups() as (backups, _):
        first = await backups.run("market")
        second = await backups.run("market")
    assert second.snapshot.files >= first.snapshot.files > 0
    assert second.snapshot.bytes_added < first.snapshot.bytes_total / 10
    rows = await rows_of(there, "market")
    assert [row.symbols["status"] for row in rows[-2:]] == ["ok", "ok"]
    assert rows[-1].columns["snapshot_id"] == second.snapshot.snapshot_id
    assert 'ares_backup_failed{kind="market"} 0.0' in (there.state_dir / "metrics" / "backup.prom").read_text()


async def test_backup_is_refused_while_another_one_runs(there: Installation) -> None:
    lock = there.state_dir / "backup" / LOCK
    async with only_one(lock, there.context.clock, 1), there.with_backup(lock_wait_s=0.3).backups() as (backups, _):
        with pytest.raises(RepositoryLocked, match="another backup runs"):
            await backups.run("market")
    assert (await rows_of(there, "market"))[-1].symbols["status"] == "repository_locked"
    assert 'ares_backup_failed{kind="market"} 1.0' in (there.state_dir / "metrics" / "backup.prom").read_text()


async def test_checkpoint_of_a_dead_backup_and_guard_is_released_by_the_next(there: Installation) -> None:
    async with await Database.connect(there.config.database) as database:
        await database.execute("CHECKPOINT CREATE")
    (there.state_dir / "backup" / NOTE).write_text("{}")
    assert await release_left_over(there.context)
    assert await there.checkpoint() is None
    assert not await release_left_over(there.context)


async def test_checkpoint_of_another_tool_is_left_alone_unless_an_operator_says_so(there: Installation) -> None:
    async with await Database.connect(there.config.database) as database:
        await database.execute("CHECKPOINT CREATE")
    async with there.backups() as (backups, _):
        with pytest.raises(BackupIncomplete, match="ares backup release"):
            await backups.run("market")
    assert await there.checkpoint() is not None
    assert await release_left_over(there.context, foreign=True)
    assert await there.checkpoint() is None


async def test_checkpoint_that_ended_meanwhile_is_noticed(there: Installation) -> None:
    folder = there.state_dir / "backup"
    async with (
        only_one(folder / LOCK, there.context.clock, 1) as lock,
        checkpoint(there.config.database, folder, lock, 30) as held,
        await Database.connect(there.config.database) as database,
    ):
        await held.require_held()
        await database.execute("CHECKPOINT RELEASE")
        with pytest.raises(BackupIncomplete, match="ended while"):
            await held.require_held()


async def test_copy_that_is_not_whole_is_let_go_at_once(there: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        name = "market"
        lock = "run.lock"

        @asynccontextmanager
        async def prepared(self, lock: int) -> AsyncIterator[Prepared]:
            async def refuse() -> None:
                raise BackupIncomplete("not whole")

            whole: Callable[[], Awaitable[None]] = refuse
            yield Prepared([there.state_dir / "run"], None, whole)

    monkeypatch.setitem(backup_run.SOURCES, "market", lambda _: Broken())  # type: ignore[arg-type] # a dict, for tests
    async with there.backups() as (backups, _):
        await asyncio.to_thread(backups.repositories.market.ensure)
        before = backups.repositories.market.snapshots()
        with pytest.raises(BackupIncomplete):
            await backups.run("market")
        assert backups.repositories.market.snapshots() == before


async def test_backup_that_is_cancelled_leaves_no_checkpoint_and_no_restic(there: Installation) -> None:
    await there.write(200_000)
    async with there.with_backup(upload_kib_s_max=256).backups() as (backups, _):
        work = asyncio.create_task(backups.run("market"))
        async with asyncio.timeout(90):
            while not children_called("restic") or not await there.checkpoint():
                await asyncio.sleep(0.02)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert await there.checkpoint() is None
    await eventually(lambda: not children_called("restic"))


async def test_backup_that_is_cancelled_while_it_waits_for_the_repository_copies_nothing_afterwards(
    there: Installation,
) -> None:
    async with there.backups() as (backups, _):
        await asyncio.to_thread(backups.repositories.market.ensure)
        key = (there.state_dir / "backup" / "repository.key").read_text()
        before = await asyncio.to_thread(backups.repositories.market.snapshots)
        with locked_by_a_living_program(Path(str(there.config.backup.repository)), key):
            work = asyncio.create_task(backups.run("market"))
            async with asyncio.timeout(60):
                while not await there.checkpoint():
                    await asyncio.sleep(0.05)
            await asyncio.sleep(1.0)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        await asyncio.sleep(1.5)  # who still waited for the lock would copy now, without a checkpoint
        assert await there.checkpoint() is None
    async with there.backups() as (backups, _):
        assert backups.repositories.market.snapshots() == before


async def test_copy_that_a_dead_backup_left_unproved_is_let_go_by_the_next(there: Installation) -> None:
    async with there.backups() as (backups, _):
        market = backups.repositories.market
        left = market.backup([there.state_dir / "run"], ["market", "id=of-the-dead"])
        Unproved(there.state_dir / "backup", "market").begin("of-the-dead")
        made = await backups.run("market")
        ids = [each.snapshot_id for each in market.snapshots()]
    assert left.snapshot_id not in ids
    assert made.snapshot.snapshot_id in ids
    assert not list((there.state_dir / "backup").glob("unproved-*"))


async def test_rehearsal_copies_under_the_guard_of_checkpoints_or_takes_a_backup(
    there: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int | None] = []

    def copied(root: Path, folder: Path, wanted: Callable[[], bool]) -> int:
        assert (there.state_dir / "backup" / NOTE).exists(), "who finds it after our death knows whose it is"
        held.append(asyncio.run(there.checkpoint()))
        assert wanted()
        return copy_stopped(root, folder, wanted)

    folder, brought = tmp_path / "copy", tmp_path / "brought"
    folder.mkdir()
    brought.mkdir()
    with monkeypatch.context() as patched:
        patched.setattr(scratch, "copy_stopped", copied)
        assert await copy_running(there.context, there.server.root, folder) > 0
    assert held[0] is not None
    assert await there.checkpoint() is None
    assert (folder / "questdb" / TRIGGER).exists()
    with pytest.raises(BackupIncomplete, match="asked to end"):
        copy_stopped(there.server.root, brought, lambda: False)
    shutil.rmtree(brought / "questdb")
    async with only_one(there.state_dir / "backup" / LOCK, there.context.clock, 1):
        with pytest.raises(RepositoryLocked):
            await copy_running(there.with_backup(lock_wait_s=0.1).context, there.server.root, tmp_path)
    assert await bring_backup(there.context, None, brought, lambda _: None) > 0
    assert (brought / "questdb" / TRIGGER).exists()
    assert (brought / "questdb" / "db").is_dir()
    with pytest.raises(UnknownName, match="market backup"):
        await bring_backup(there.context, "no-such", brought, lambda _: None)


async def test_unknown_kind_names_the_known_ones(there: Installation) -> None:
    async with there.backups() as (backups, _):
        with pytest.raises(UnknownName, match="market"):
            await backups.run("everything")


async def test_repository_that_was_there_and_is_gone_is_not_begun_anew(there: Installation, tmp_path: Path) -> None:
    elsewhere = there.with_backup(repository=str(tmp_path / "mounted"))
    async with elsewhere.backups() as (backups, _):
        await asyncio.to_thread(backups.repositories.market.ensure)
        shutil.move(tmp_path / "mounted", tmp_path / "unmounted")
        with pytest.raises(RepositoryMissing, match="mount its disk"):
            await backups.run("market")


async def test_commands_make_list_check_and_let_go(there: Installation) -> None:
    def told(*arguments: str) -> list[dict[str, str | int]]:
        done = ares("backup", *arguments, "--json", **there.environ())
        assert done.returncode == 0, done.stderr
        listed: list[dict[str, str | int]] = json.loads(done.stdout)
        return listed

    made = told("run", "--kind", "market")
    assert told("list", "--kind", "market")[-1]["snapshot"] == made[0]["snapshot_id"]
    wrong = ares("backup", "check", "--read-data-subset", "8/7", **there.environ())
    assert wrong.returncode == 2
    assert "8/7" in wrong.stderr


async def test_service_releases_what_a_killed_backup_held_and_schedules_the_jobs(there: Installation) -> None:
    async with await Database.connect(there.config.database) as database:
        await database.execute("CHECKPOINT CREATE")
    folder = there.state_dir / "backup"
    folder.mkdir(exist_ok=True)
    folder.joinpath(NOTE).write_text("{}")
    async with running(BackupService(there.context)) as service:
        assert service.health().ready
        assert await there.checkpoint() is None


async def test_jobs_back_up_check_and_prune_and_health_tells_of_a_failure(there: Installation) -> None:
    context = there.context
    outcome = await run_job(context, BACKUP, "test")
    assert outcome is not None
    assert outcome["kind"] == "market"
    assert await run_job(context, CHECK, "test") == {"read": "1/7"}
    assert await run_job(context, PRUNE, "test") == {"market": 0}, "no journal was ever copied here"
    broken = ServiceContext(there.with_backup(restic="no-such-program").config, context.clock, "test")
    for job in (BACKUP, PRUNE):
        with pytest.raises(Exception, match="apt-get install restic"):
            await run_job(broken, job, "test")
    async with running(BackupService(context)) as service:
        assert service.health().detail == "last one failed: market, prune"


def test_up_runs_the_service_where_a_repository_is_set(there: Installation) -> None:
    assert "backup" in optional_services(there.config)
    assert "backup" not in optional_services(there.config.model_copy(update={"backup": BackupConfig()}))
