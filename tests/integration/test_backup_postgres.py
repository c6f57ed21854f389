"""Goal: of a control store in Postgres no more is lost than of one in SQLite, whatever is killed, and it comes back."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.backup import BackupConfig
from ares.config.settings import ControlConfig, DatabaseConfig, EnvironmentConfig
from ares.control import ControlStore, NewEvent
from ares.control.second_copy import LINE, LINE_SINCE
from ares.errors import AresError, BackupIncomplete, ConfigError
from ares.service import ServiceContext
from ares.service.beside import beside
from backup.journal.coverage import Coverage
from backup.journal.keeper import keep_journal
from backup.journal.postgres import wal
from backup.journal.postgres.journal import PostgresJournal
from backup.journal.postgres.stretch import FACTS, STRETCH, StretchFacts
from backup.journal.reach import Reach
from backup.memory import Memory
from backup.repository import JOURNAL, Repositories, Repository
from backup.restore.cluster import put_together, serving
from backup.run import Backups, Made
from tests.conftest import free_port, require_program
from tests.helpers import ROOT, ares, eventually, missing
from tests.postgres import INSTALL, RunningPostgres, postgres_bin, running_postgres

FOLLOWER = "follower"
PASSWORD = f"{secrets.token_hex(16)}:x"
"""With a character that files of passwords must escape."""

LET_IN = (
    f"host all {FOLLOWER} 127.0.0.1/32 scram-sha-256",
    f"host replication {FOLLOWER} 127.0.0.1/32 scram-sha-256",
)
PATIENCE_S = 120
CLOCK = SystemClock()


@pytest.fixture(scope="module")
def postgres() -> Iterator[RunningPostgres]:
    """Small segments, so that a test fills many of them."""
    require_program("restic", "apt-get install restic")
    programs = postgres_bin()
    if programs is None:
        missing(f"PostgreSQL is not installed: {INSTALL}")
    with running_postgres(free_port(), programs, segment_mb=1) as server:
        server.execute(
            f"CREATE ROLE {FOLLOWER} LOGIN REPLICATION PASSWORD '{PASSWORD}'",
            "ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'",
        )
        server.let_in(*LET_IN)
        yield server


@dataclass(frozen=True)
class Stretch:
    """A base copy and its WAL, as the repository has it."""

    folder: Path
    reach: Reach

    async def events(self, until_ns: int | None = None) -> list[int]:
        """The events of the store that comes of it."""
        cluster = put_together(self.folder, self.folder / "postgres", None, self.reach.record)
        async with serving(cluster, until_ns, 120, CLOCK) as url:
            control = ControlStore.open(url)
            found = [int(str(event.payload["n"])) for event in control.read("s")]
            control.close()
        assert not (self.folder / "postgres" / "postmaster.pid").exists()
        return found

    def again(self, name: str) -> Stretch:
        """A second one, to be spoilt."""
        return Stretch(shutil.copytree(self.folder, self.folder.with_name(name)), self.reach)


@dataclass
class Stage:
    """An installation whose control store is a database of its own on that server; what it committed, and when."""

    folder: Path
    url: str
    settings: dict[str, object] = field(default_factory=dict)
    committed: list[tuple[int, int]] = field(default_factory=list)

    @property
    def context(self) -> ServiceContext:
        backup = BackupConfig.model_validate({"repository": str(self.folder / "repository"), **self.settings})
        config = AresConfig(
            environment=EnvironmentConfig(state_dir=self.folder / "var"),
            control=ControlConfig.model_validate({"url": self.url}),
            database=DatabaseConfig(http_port=1, pg_port=1, health_port=1),
            backup=backup,
        )
        context = ServiceContext(config, CLOCK, "test")
        context.state_dir.mkdir(exist_ok=True)
        return context

    @property
    def database(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def journal(self) -> PostgresJournal:
        return PostgresJournal(self.context)

    @property
    def repository(self) -> Repository:
        return Repositories(self.context.config.backup, self.context.state_dir).journal

    def commit(self, count: int = 1) -> None:
        """Events in order; the moment at which each was acknowledged is kept."""
        control = ControlStore.open(self.url)
        for _ in range(count):
            number = len(self.committed)
            control.append("s", [NewEvent("a", number, {"n": number})], expected_seq=number)
            self.committed.append((number, CLOCK.now_ns()))
        control.close()

    def restored_since(self, market_ns: int) -> None:
        """As a restore leaves it that took a market backup of that moment."""
        control = ControlStore.open(self.url)
        control.advance(LINE, CLOCK.now_ns())
        control.advance(LINE_SINCE, market_ns)
        control.close()

    async def keep_committing(self) -> None:
        while True:
            await asyncio.to_thread(self.commit, 5)
            await asyncio.sleep(0.02)

    async def back_up(self) -> Made:
        control = ControlStore.open(self.url)
        try:
            return await Backups(self.context, control).run(JOURNAL)
        finally:
            control.close()

    def reach(self) -> Reach:
        reach = Reach.of(self.repository.snapshots(JOURNAL)[-1].tags)
        assert reach is not None
        return reach

    def brought(self) -> Stretch:
        """The newest snapshot, out of the repository."""
        snapshot = self.repository.snapshots(JOURNAL)[-1]
        reach = Reach.of(snapshot.tags)
        assert reach is not None
        brought = self.folder / "brought"
        shutil.rmtree(brought, ignore_errors=True)
        self.repository.restore(snapshot.snapshot_id, brought)
        (folder,) = (path for path in brought.rglob(STRETCH) if (path / FACTS).exists())
        return Stretch(folder, reach)

    def memory(self, figure: str) -> float:
        return Memory(self.context.state_dir).get(JOURNAL, figure)

    def environ(self) -> dict[str, str]:
        """What makes a command of its own process mean this installation."""
        return {
            "ARES_ENVIRONMENT__STATE_DIR": str(self.context.state_dir),
            "ARES_CONTROL__URL": self.url,
            "ARES_BACKUP__REPOSITORY": str(self.folder / "repository"),
            **{f"ARES_BACKUP__{name.upper()}": str(value) for name, value in self.settings.items()},
            **{f"ARES_DATABASE__{name}_PORT": str(free_port()) for name in ("HTTP", "PG", "HEALTH")},
        }


@pytest.fixture
def stage(postgres: RunningPostgres, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path, postgres.database(FOLLOWER, PASSWORD.replace(":", "%3A")), {"host": tmp_path.name})
    yield stage
    asyncio.run(stage.journal.drop())


def receivers(parent: int) -> list[int]:
    """The processes that receive WAL for a process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = status.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name == "pg_receivewal" and int(rest.split()[1]) == parent:
            found.append(int(status.parent.name))
    return found


@contextmanager
def service(stage: Stage) -> Iterator[subprocess.Popen[bytes]]:
    """The service `backup` in a process of its own; its QuestDB is away, which is none of the journal's business."""
    command = [sys.executable, "-m", "ares.cli", "service", "run", "backup"]
    with (stage.folder / "service.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **stage.environ()}, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
    assert PASSWORD[:14] not in (stage.folder / "service.log").read_text()


def shipped(stage: Stage) -> int:
    """How many journals the repository has."""
    try:
        return len(stage.repository.snapshots(JOURNAL))
    except AresError:
        return 0


async def eventually_some(what: Callable[[], list[int]]) -> list[int]:
    found: list[int] = []
    await eventually(lambda: found.extend(what()) or found, PATIENCE_S)
    return found


def told(process: int) -> str:
    """All that anybody can read of how it was started."""
    return "".join(Path(f"/proc/{process}/{name}").read_text() for name in ("cmdline", "environ"))


async def test_journal_by_hand_stops_at_any_moment_since_its_base_copy_and_what_is_damaged_is_refused(
    stage: Stage, postgres: RunningPostgres
) -> None:
    stage.commit(3)
    await stage.back_up()
    for _ in range(4):
        stage.commit(5)
        await asyncio.sleep(0.2)
    postgres.fill_wal(3)
    made = await stage.back_up()
    stage.commit(7)
    newest = stage.brought()

    assert made.covers_to_ns == newest.reach.to_ns
    assert await newest.again("newest").events() == list(range(23))
    at_ns = stage.committed[12][1] + 100_000_000
    assert newest.reach.has(at_ns)
    assert await newest.again("moment").events(at_ns + newest.reach.skew_ns) == list(range(13))

    control_file = newest.folder / "base" / "global" / "pg_control"
    content = control_file.read_bytes()
    control_file.write_bytes(bytes([content[0] ^ 0xFF]) + content[1:])
    with pytest.raises(BackupIncomplete, match=r"the base copy is damaged: .*pg_control"):
        await newest.events()
    control_file.write_bytes(content)
    whole = [path for path in wal.segments(newest.folder / "wal") if path.suffix != wal.PARTIAL]
    whole[1].write_bytes(bytes(1 << 20))
    with pytest.raises(BackupIncomplete, match="bytes of WAL cannot be read"):
        await newest.events()


async def test_service_and_receiver_may_be_killed_and_what_was_shipped_is_what_had_been_committed(
    stage: Stage,
) -> None:
    stage.settings["journal_s"] = 1.0
    stage.commit()
    with service(stage) as first:
        await eventually(lambda: shipped(stage) >= 1, PATIENCE_S)
        (receiver,) = await eventually_some(lambda: receivers(first.pid))
        assert PASSWORD[:14] not in told(receiver)
        async with beside(stage.keep_committing(), "keep_committing"):
            os.kill(receiver, signal.SIGKILL)
            await eventually_some(lambda: [pid for pid in receivers(first.pid) if pid != receiver])
            before = shipped(stage)
            await eventually(lambda: shipped(stage) > before, PATIENCE_S)
            (another,) = await eventually_some(lambda: receivers(first.pid))
            first.kill()
            await eventually(lambda: not Path(f"/proc/{another}").exists(), PATIENCE_S)
            with service(stage) as second:
                before = shipped(stage)
                await eventually(lambda: shipped(stage) > before + 1, PATIENCE_S)
                second.kill()

    newest = stage.brought()
    found = await newest.events()
    assert found == list(range(len(found)))
    assert {number for number, at_ns in stage.committed if at_ns <= newest.reach.to_ns} <= set(found)
    reaches = [Reach.of(each.tags) for each in stage.repository.snapshots(JOURNAL)]
    assert len({each.from_ns for each in reaches if each}) == 1, "one base copy was enough"


async def test_slot_that_the_server_gave_up_begins_a_new_stretch_that_is_whole_and_a_command_ends_it(
    stage: Stage, postgres: RunningPostgres
) -> None:
    stage.commit(2)
    await stage.back_up()
    before = stage.reach()
    postgres.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'", "SELECT pg_reload_conf()")
    try:
        postgres.fill_wal(8)
        slot = await stage.journal.watch()
        assert slot is not None
        assert slot.lost
        stage.commit(2)
        stage.restored_since(before.to_ns)
        await stage.back_up()
    finally:
        postgres.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'", "SELECT pg_reload_conf()")
    newest = stage.brought()
    assert newest.reach.from_ns > before.to_ns
    earlier, later = (Coverage.of(each.tags) for each in stage.repository.snapshots(JOURNAL))
    assert (earlier.line, earlier.at_ns) == (0, before.to_ns)
    assert (later.line > earlier.at_ns, later.since_ns, later.at_ns) == (True, before.to_ns, newest.reach.to_ns)
    assert await newest.events() == list(range(4))
    (row,) = json.loads(ares("backup", "slot", "--json", **stage.environ()).stdout)
    assert row["state"] == "waiting"
    assert row["max_bytes"] == 64 << 20
    done = ares("backup", "slot", "--drop", **stage.environ())
    assert done.returncode == 0, done.stderr
    assert stage.journal.primary.slot() is None


async def test_wal_that_waits_for_a_repository_that_is_away_is_bounded_here_and_on_the_server(
    stage: Stage, postgres: RunningPostgres
) -> None:
    stage.settings |= {"wal_mb_max": 4, "journal_s": 1.0, "answer_s_max": 5.0, "lock_wait_s": 1.0}
    stage.commit()
    await stage.back_up()
    begun = StretchFacts.read(stage.journal.folders.stretch)
    repository, away = stage.folder / "repository", stage.folder / "away"
    repository.rename(away)
    control = ControlStore.open(stage.url)
    async with beside(keep_journal(stage.context, control), "keep_journal"):
        await eventually(lambda: stage.journal.primary.slot().active, PATIENCE_S)  # type: ignore[union-attr] # it is there
        await asyncio.to_thread(postgres.fill_wal, 6)
        await eventually(lambda: StretchFacts.read(stage.journal.folders.stretch) not in (None, begun), PATIENCE_S)
        await eventually(lambda: wal.bytes_in(stage.journal.folders.received) <= 4 << 20, PATIENCE_S)
        slot = await stage.journal.watch()
        assert slot is not None
        assert slot.kept_bytes < 2 << 20
        with pytest.raises(BackupIncomplete, match="Stop the service `backup`"):
            await stage.journal.drop()
        away.rename(repository)
        await asyncio.to_thread(stage.commit)
        before = shipped(stage)
        await eventually(lambda: shipped(stage) > before, PATIENCE_S)
        await eventually(lambda: stage.memory("failed") == 0, PATIENCE_S)  # said a moment after it is in the repository
    control.close()
    assert await stage.brought().events() == [0, 1]


async def test_server_that_cannot_be_followed_is_an_error_with_the_way_out(
    stage: Stage, postgres: RunningPostgres
) -> None:
    async def refused(words: str) -> None:
        with pytest.raises(ConfigError, match=words) as error:
            await stage.back_up()
        assert PASSWORD[:14] not in str(error.value)

    postgres.execute("ALTER SYSTEM SET max_slot_wal_keep_size = -1", "SELECT pg_reload_conf()")
    await refused("ALTER SYSTEM SET max_slot_wal_keep_size = '4GB'")
    postgres.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '64MB'", "SELECT pg_reload_conf()")
    postgres.execute(f"ALTER ROLE {FOLLOWER} NOREPLICATION")
    await refused(f'ALTER ROLE "{FOLLOWER}" REPLICATION')
    postgres.execute(f"ALTER ROLE {FOLLOWER} REPLICATION")
    postgres.let_in(f"host {stage.database} {FOLLOWER} 127.0.0.1/32 scram-sha-256")
    await refused("lets nobody in for replication from this machine")
    postgres.let_in(*LET_IN)
    stage.settings["postgres_bin"] = stage.folder
    await refused("no pg_receivewal of version 15 or later is there.*apt-get install postgresql-client-15")
    older = stage.folder / "pg_receivewal"
    older.write_text("#!/bin/sh\necho 'pg_receivewal (PostgreSQL) 12.4'\n")
    older.chmod(0o755)
    await refused("is of version 12")
