"""Goal: one migrator at a time, and nothing is taken away while a release runs that still uses it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ares.clock import NANOS_PER_SECOND, SystemClock
from ares.config.settings import AresConfig, DatabaseConfig
from ares.control import ControlStore
from ares.errors import LeaseLost, OlderReleaseRuns, SchemaBusy, StoreRejected
from ares.model.row import Cell, Row
from ares.service import ServiceContext
from ares.service.releases import LEASE_S, WAIT_S_MAX, Wish, alone, migrate_schema, require_no_older_release
from ares.store import Database, RowWriter
from ares.store.migrations import schema_level
from ares.testing.clock import SteppedClock


def beat(control: ControlStore, venue: str, level: int | None, state: str = "ready", ago_s: float = 0.0) -> None:
    columns: dict[str, Cell] = {"pid": 1, "port": 2} | ({} if level is None else {"schema_level": level})
    words = {"service": f"feed_{venue}", "instance": "feed@there", "state": state, "version": "0.0.9", "host": "there"}
    control.mirror([Row("services", SystemClock().now_ns() - round(ago_s * NANOS_PER_SECOND), words, columns)])


@pytest.fixture
def context(questdb_config: DatabaseConfig, tmp_path: Path) -> ServiceContext:
    config = AresConfig(environment={"state_dir": tmp_path}, database=questdb_config)  # type: ignore[arg-type]
    return ServiceContext(config, SystemClock(), "test")


async def test_post_waits_for_the_last_instance_of_an_older_release_and_names_it(
    context: ServiceContext, control: ControlStore, writer: RowWriter, database: Database, venue: str
) -> None:
    beat(control, venue, None)
    with pytest.raises(
        OlderReleaseRuns, match=rf"feed_{venue} feed@there on there \(release 0.0.9, migrations up to 0"
    ):
        await require_no_older_release(context, control)
    (waiting,) = control.outbox(0, 10)
    await writer.write([waiting.row])
    control.advance("questdb", waiting.seq)
    await database.wait_applied(["services"])
    with pytest.raises(OlderReleaseRuns, match="Stop it, or start it as this release"):
        await require_no_older_release(context, control)
    beat(control, venue, schema_level())
    await require_no_older_release(context, control)
    beat(control, venue, schema_level() - 1)
    with pytest.raises(OlderReleaseRuns):
        await require_no_older_release(context, control)
    beat(control, venue, schema_level() - 1, "stopped")
    await require_no_older_release(context, control)
    beat(control, venue, None, ago_s=61.0)
    await require_no_older_release(context, control)


async def test_two_migrators_go_one_after_the_other(context: ServiceContext) -> None:
    ran = await asyncio.gather(*(migrate_schema(context, wish=Wish(post=True)) for _ in range(2)))
    assert [each.migrations for each in ran] == [(), ()]
    store = ControlStore.open(context.control_url)
    inside, most = 0, 0

    async def one() -> None:
        nonlocal inside, most
        async with alone(store, SystemClock(), "schema/x"):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.05)
            inside -= 1

    await asyncio.gather(one(), one(), one())
    assert most == 1
    store.close()


async def test_lease_of_a_killed_migrator_runs_out_and_one_that_lasts_is_an_error(control: ControlStore) -> None:
    clock = SteppedClock()
    assert control.acquire_lease("schema/y", "killed", clock.now_ns(), LEASE_S) is not None

    async def wait() -> None:
        async with alone(control, clock, "schema/y"):
            pass

    waiting = asyncio.create_task(wait())
    for _ in range(round(LEASE_S) * 4):
        await asyncio.sleep(0.002)
        await clock.advance(0.5)
    await waiting
    assert control.acquire_lease("schema/y", "lasting", clock.now_ns(), 10 * WAIT_S_MAX) is not None
    waiting = asyncio.create_task(wait())
    for _ in range(round(WAIT_S_MAX) * 4):
        await asyncio.sleep(0.002)
        await clock.advance(0.5)
    with pytest.raises(SchemaBusy, match="another migrator has held it for 60 s"):
        await waiting


async def test_error_comes_out_as_it_is_and_lets_the_next_one_in(control: ControlStore) -> None:
    with pytest.raises(StoreRejected, match="no such column"):
        async with alone(control, SystemClock(), "schema/z"):
            raise StoreRejected("no such column")
    async with alone(control, SystemClock(), "schema/z"):
        pass


async def test_migrator_whose_lease_was_taken_over_stops(control: ControlStore) -> None:
    clock = SteppedClock()
    reached = False

    async def work() -> None:
        nonlocal reached
        async with alone(control, clock, "schema/w"):
            await asyncio.sleep(10)
            reached = True

    working = asyncio.create_task(work())
    await asyncio.sleep(0.1)
    later_ns = clock.now_ns() + round(2 * LEASE_S * NANOS_PER_SECOND)
    assert control.acquire_lease("schema/w", "other", later_ns, LEASE_S) is not None
    await clock.advance(LEASE_S / 2)
    with pytest.raises(LeaseLost):
        await working
    assert not reached
