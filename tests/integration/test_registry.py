"""Goal: who runs and what it offers can be looked up, and who is gone is not found."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ares import __version__
from ares.clock import SystemClock
from ares.config import AresConfig
from ares.config.settings import EnvironmentConfig
from ares.control import ControlStore
from ares.service import Capability, Health, ServiceContext, ServiceSpec
from ares.service.directory import HeartbeatRegistry
from ares.service.heartbeat import Heartbeat
from ares.store import Database, RowWriter


class Feed:
    """A service that is ready when told so."""

    def __init__(self, *, ready: bool) -> None:
        self.ready = ready

    async def start(self) -> None: ...
    async def run(self) -> None: ...
    async def stop(self) -> None: ...

    def health(self) -> Health:
        return Health(ready=self.ready, detail="" if self.ready else "no stream")


class Beating:
    """Services that beat into the shared QuestDB, by the way of the outbox."""

    def __init__(self, venue: str, path: Path, database: Database, writer: RowWriter) -> None:
        self.venue = venue
        self.database = database
        self.writer = writer
        config = AresConfig(environment=EnvironmentConfig(state_dir=path))
        self.context = ServiceContext(config, SystemClock(), f"feed@{venue}")
        self.registry = HeartbeatRegistry(database, SystemClock(), 60.0)
        self.carried = 0

    def heartbeat(self, *, ready: bool) -> Heartbeat:
        offers = [Capability("venue-feed", {"venue": self.venue, "kind": "live"})]
        return Heartbeat(
            ServiceSpec("feed", "unused:unused", provides=lambda _: offers), Feed(ready=ready), self.context, 7
        )

    async def carry(self) -> None:
        """What the mirror does."""
        control = ControlStore.open(self.context.control_url)
        entries = control.outbox(self.carried, 100)
        control.close()
        await self.writer.write([entry.row for entry in entries])
        self.carried = entries[-1].seq
        await self.database.wait_applied(["services"])

    async def beat_once(self, *, ready: bool) -> None:
        beating = asyncio.create_task(self.heartbeat(ready=ready).run())
        async with asyncio.timeout(20):
            while not self._beats():
                await asyncio.sleep(0.01)
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        await self.carry()

    def _beats(self) -> bool:
        control = ControlStore.open(self.context.control_url)
        try:
            return bool(control.outbox(self.carried, 1))
        finally:
            control.close()


async def test_ready_service_is_found_by_what_it_offers_until_it_says_goodbye(
    venue: str, tmp_path: Path, database: Database, writer: RowWriter
) -> None:
    there = Beating(venue, tmp_path, database, writer)
    await there.beat_once(ready=True)
    (found,) = await there.registry.find("venue-feed", venue=venue)
    assert (found.service, found.state, found.port, found.version) == ("feed", "ready", 7, __version__)
    assert found.capabilities == [Capability("venue-feed", {"venue": venue, "kind": "live"})]
    assert await there.registry.find("venue-feed", venue=venue, kind="replay") == []
    assert await there.registry.find("signals", venue=venue) == []
    await there.heartbeat(ready=True).last()
    await there.carry()
    assert await there.registry.find("venue-feed", venue=venue) == []


async def test_service_that_is_not_ready_is_listed_but_not_found(
    venue: str, tmp_path: Path, database: Database, writer: RowWriter
) -> None:
    there = Beating(venue, tmp_path, database, writer)
    await there.beat_once(ready=False)
    assert await there.registry.find("venue-feed", venue=venue) == []
    (listed,) = [each for each in await there.registry.instances() if each.instance == f"feed@{venue}"]
    assert (listed.state, listed.detail) == ("not_ready", "no stream")


async def test_service_that_was_silent_for_three_beats_is_gone(
    venue: str, tmp_path: Path, database: Database, writer: RowWriter
) -> None:
    there = Beating(venue, tmp_path, database, writer)
    await there.beat_once(ready=True)
    await asyncio.sleep(0.05)
    assert await HeartbeatRegistry(database, SystemClock(), 0.01).find("venue-feed", venue=venue) == []
