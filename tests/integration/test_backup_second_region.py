"""Goal: what was replicated to a second region is brought back there beside a first region that still runs, or refused.

Replication copies objects one by one and in no order: its newest backup may be there in part. `make rehearse-region`
runs it, and the same with whole installations, traders and a venue.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.backup import BackupConfig
from ares.config.settings import AresConfig
from ares.control import ControlStore
from ares.errors import BackupError, RepositoryBroken
from ares.service import ServiceContext
from ares.store import Database
from backup.drill.compare import Comparison, Sides, compare
from backup.manifest import Manifest, read_manifest
from backup.repository import Repositories
from backup.restore.choice import Choice, choose
from backup.restore.run import Restore, Restored, Wish
from backup.restore.scratch import Scratch, scratch
from tests.conftest import free_port, require_program
from tests.helpers import typed
from tests.region import Replication
from tests.restored import Installed, connected, serving, trade
from tests.s3 import running_s3
from trader.execution.state import TradingStates
from trader.risk import TradingState

FIRST, SECOND, THIRD = "first", "second", "third"
RTO_S_MAX = 900.0
RPO_S_MAX = 900.0


@dataclass
class Regions:
    """The first region, whose QuestDB runs, and what the second one sees of it."""

    first: Installed
    replication: Replication
    folder: Path
    whole_ns: int = 0
    """By then everything had arrived."""

    def second(self, bucket: str = SECOND) -> ServiceContext:
        """An installation that has nothing but the address of the copy."""
        backup = self.first.config.backup
        copied = str(backup.repository).replace(f"/{FIRST}/", f"/{bucket}/")
        config = self.first.config.model_copy(
            update={
                "backup": backup.model_copy(update={"repository": copied}),
                "environment": self.first.config.environment.model_copy(update={"state_dir": self.folder / "cli"}),
            }
        )
        return ServiceContext(config, SystemClock(), "second")

    async def restore(self, target: str, at_ns: int | None = None) -> tuple[Restored, Manifest]:
        """`ares backup restore` in the second region: what came back, and what the backup says is in it."""
        context, told = self.second(), []

        async def look(_: Scratch, state_dir: Path) -> None:
            told.append(read_manifest(state_dir))

        work = Restore(context, Repositories(context.config.backup, context.state_dir), lambda _: None)
        wish = Wish(self.folder / target, at_ns or context.clock.now_ns(), "operator")
        return await work.run(wish, look), told[0]

    def chosen(self, bucket: str) -> Choice:
        """What a restore there would take now."""
        context = self.second(bucket)
        return choose(Repositories(context.config.backup, context.state_dir).snapshots(), context.clock.now_ns())

    async def proved(self, target: str, manifest: Manifest) -> tuple[Comparison, int]:
        """The second QuestDB, started beside the first one: compared with it, and its trades counted."""
        config = self.first.config.database
        async with scratch(config, self.folder / target, restore=False) as second:
            assert second.config.pg_port != config.pg_port
            comparison = await compare(Sides(second.database, self.first.database), manifest)
            return comparison, await trades_in(second.database)

    async def back_up(self) -> None:
        await self.first.back_up("market")
        await self.first.back_up("journal")


@pytest.fixture
async def regions(tmp_path: Path) -> AsyncIterator[Regions]:
    """500 trades backed up and replicated, 400 more backed up, 100 nowhere but in the first region."""
    require_program("restic", "apt-get install restic")
    with running_s3(free_port(), FIRST) as url, serving(tmp_path / "first") as first:
        use(first, f"s3:{url}/{FIRST}/ares")
        there = Regions(first, Replication(url, FIRST, SECOND), tmp_path)
        there.replication.begin()
        async with connected(first):
            await first.write([trade(n) for n in range(500)])
            await there.back_up()
            there.replication.catch_up()
            there.whole_ns = first.context.clock.now_ns()
            await first.write([trade(n) for n in range(500, 900)])
            await there.back_up()
            await first.write([trade(n) for n in range(900, 1000)])
            yield there


def use(installed: Installed, repository: str) -> None:
    """Back up to S3 from now on."""
    said = {"repository": repository, "password": "of-this-test", "s3_key_id": "key", "s3_secret": "secret"}
    backup = BackupConfig.model_validate({**said, "s3_region": "us-east-1"})
    installed.config = AresConfig.model_validate(installed.config.model_copy(update={"backup": backup}))
    installed.context = ServiceContext(installed.config, SystemClock(), "test")
    installed.repositories = Repositories(backup, installed.context.state_dir)


async def trades_in(database: Database) -> int:
    row = await database.fetch_one("SELECT count() AS rows FROM trades")
    assert row is not None
    return int(str(row["rows"]))


@pytest.mark.skipif("ARES_TEST_REGION" not in os.environ, reason="make rehearse-region runs it")
async def test_second_region_comes_back_beside_the_first_by_what_arrived_whole(regions: Regions) -> None:
    newest_is_the_one_whose_snapshot_has_arrived(regions)
    replication, began_s = regions.replication, time.monotonic()
    started_ns = regions.second().clock.now_ns()
    assert replication.catch_up(lambda key: "/snapshots/" in key), "snapshots came before what they lead to"
    with pytest.raises(BackupError) as refused:
        await regions.restore("refused")
    assert refused.value.code in {"repository_broken", "backup_incomplete"}
    assert not (regions.folder / "refused").exists()
    context = regions.second()
    with pytest.raises(RepositoryBroken):
        Repositories(context.config.backup, context.state_dir).market.check()

    restored, manifest = await regions.restore("older", regions.whole_ns)
    comparison, trades = await regions.proved("older", manifest)
    rto_s = time.monotonic() - began_s
    assert restored.market_to_ns is not None
    rpo_s = (started_ns - restored.market_to_ns) / NANOS_PER_SECOND
    assert trades == 500
    assert await trades_in(regions.first.database) == 1000, "the first one runs on, and nobody touched it"
    assert comparison.differences == ()
    assert comparison.tables > 50
    assert comparison.rows >= 500
    assert restored.silent == ()
    assert any("is HALTED" in each for each in restored.done)
    assert 0 < rpo_s < RPO_S_MAX
    assert rto_s < RTO_S_MAX
    sys.stdout.write(
        f"\nsecond region: RPO {rpo_s:.1f} s, RTO {rto_s:.1f} s; {comparison.rows} rows of {comparison.tables} tables\n"
    )


def newest_is_the_one_whose_snapshot_has_arrived(regions: Regions) -> None:
    """In a third region everything came before the snapshots that lead to it."""
    third = Replication(regions.replication.url, FIRST, THIRD)
    third.begin()
    whole = regions.replication.keys(SECOND)
    assert third.catch_up(lambda key: key in whole or "/snapshots/" not in key)
    before = regions.chosen(THIRD)
    assert before.market.ts_ns < regions.whole_ns
    assert before.journal is not None
    assert before.journal.ts_ns < regions.whole_ns
    assert not third.catch_up(), "replication has caught up"
    assert regions.chosen(THIRD).market.ts_ns > regions.whole_ns
    context = regions.second(THIRD)
    Repositories(context.config.backup, context.state_dir).market.check(read_all=True)


def test_control_store_that_its_provider_brought_back_is_held_before_a_trader_starts(tmp_path: Path) -> None:
    clock = SystemClock()
    with closing(ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")) as control:
        states = TradingStates(control, "paper", clock)
        asyncio.run(states.change(TradingState.ACTIVE, "ada", "all is well", clock.now_ns()))
    for _ in range(2):
        done = typed("backup", "hold", "--why", "RDS' copy", ARES_ENVIRONMENT__STATE_DIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        assert "account paper is HALTED" in done.stdout
    with closing(ControlStore.open(f"sqlite:///{tmp_path / 'control.db'}")) as control:
        states = TradingStates(control, "paper", clock)
        asyncio.run(states.refresh())
        assert (states.current.state, states.current.actor) == (TradingState.HALTED, "restore")
        assert states.current.reason.startswith("RDS' copy; held by ")
