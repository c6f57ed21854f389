"""Rows reach the store in order, whole batches are repeated, and what is refused for good ends in quarantine."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from ares.clock import SystemClock
from ares.errors import StoreRejected, StoreUnavailable
from ares.model.market import Trade
from ares.model.row import Row
from ares.resilience import Backoff
from ingest.batches import staged
from ingest.gaps import Gap, Where
from ingest.sink import Lane, Sink, running

T0 = 1_700_000_000_000_000_000
WHERE = Where("sim", "BTC/USDT", "trades")


@dataclass
class Disk:
    """A writer that fails as it is told: `down` answers nothing, rows of `refused` ids never pass."""

    written: list[Row] = field(default_factory=list)
    attempts: int = 0
    down: int = 0
    refused: set[int] = field(default_factory=set)
    quarantine_works: bool = True

    async def write(self, rows: Sequence[Row]) -> None:
        self.attempts += 1
        if self.down > 0:
            self.down -= 1
            raise StoreUnavailable("away")
        if any(row.columns.get("seq") in self.refused for row in rows):
            raise StoreRejected("bad row")
        if not self.quarantine_works and any(row.table == "quarantine" for row in rows):
            raise StoreRejected("bad store")
        self.written += rows


def trade(seq: int) -> Row:
    return Trade("sim", "BTC/USDT", str(seq), seq, "buy", 1.0, 1.0, T0 + seq, T0 + seq, "stream")


@asynccontextmanager
async def sink(disk: Disk, *, queue_rows_max: int = 100, batch_rows_max: int = 8) -> AsyncIterator[Sink]:
    lane = Sink(
        Lane("live", "sim", queue_rows_max, batch_rows_max, 0.005),
        disk,
        SystemClock(),
        Backoff(0.001, 0.002, random.Random(1)),
    )
    async with running([lane]):
        yield lane


def seqs(rows: Sequence[Row]) -> list[object]:
    return [row.columns["seq"] for row in rows if row.table == "trades"]


async def test_rows_are_acknowledged_in_order_and_drain_waits_for_all() -> None:
    disk, acked = Disk(), list[Row]()
    async with sink(disk) as lane:
        lane.on_acked = acked.extend
        await lane.put([trade(seq) for seq in range(20)])
        await lane.put([])
        await lane.drain()
        assert lane.depth == 0
    assert seqs(disk.written) == seqs(acked) == list(range(20))
    assert disk.attempts == 3


async def test_store_that_is_away_gets_the_same_rows_once_it_is_back() -> None:
    disk = Disk(down=3)
    async with sink(disk) as lane:
        await lane.put([trade(1), trade(2)])
        await asyncio.sleep(0)
        await lane.drain()
        assert lane.writable
    assert seqs(disk.written) == [1, 2]
    assert disk.attempts == 4


async def put_one_by_one(lane: Sink, rows: int) -> None:
    for seq in range(rows):
        await lane.put([trade(seq)])


async def test_full_queue_makes_put_wait_instead_of_growing() -> None:
    disk = Disk(down=10_000)
    async with sink(disk, queue_rows_max=4, batch_rows_max=2) as lane:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(put_one_by_one(lane, 50), 0.1)
        assert lane.depth <= 6
        assert not lane.writable
        disk.down = 0
        await lane.put([trade(99)])
        await lane.drain()
    assert seqs(disk.written)[-1] == 99


async def test_more_rows_at_once_than_the_queue_holds_still_pass() -> None:
    disk = Disk()
    async with sink(disk, queue_rows_max=4) as lane:
        await lane.put([trade(seq) for seq in range(30)])
        await lane.drain()
    assert len(disk.written) == 30


async def test_refused_row_is_quarantined_alone_and_its_neighbours_are_stored() -> None:
    disk, refused = Disk(refused={5}), list[Row]()

    def on_refused(row: Row) -> Sequence[Row]:
        refused.append(row)
        return [Gap.opened(WHERE, "rejected", T0, T0, 5).bounded(5, T0).to_row(T0)]

    async with sink(disk) as lane:
        lane.on_refused = on_refused
        await lane.put([trade(seq) for seq in range(8)])
        await lane.drain()
    assert seqs(disk.written) == [0, 1, 2, 3, 4, 6, 7]
    assert seqs(refused) == [5]
    kept = [row for row in disk.written if row.table == "quarantine"]
    assert [row.symbols["channel"] for row in kept] == ["trades"]
    assert '"seq": 5' in str(kept[0].columns["raw"])
    assert [row.columns["first_seq"] for row in disk.written if row.table == "gaps"] == [5]


async def test_store_that_refuses_even_the_quarantine_is_waited_for() -> None:
    disk = Disk(refused={1}, quarantine_works=False)
    async with sink(disk) as lane:
        await lane.put([trade(1)])
        await asyncio.sleep(0.05)
        assert lane.depth == 1
        disk.refused.clear()
        await lane.drain()
    assert seqs(disk.written) == [1]


async def test_acknowledged_rows_are_not_counted_twice_when_a_later_part_of_the_batch_fails() -> None:
    acked = list[Row]()

    class Flaky(Disk):
        async def write(self, rows: Sequence[Row]) -> None:
            if rows[0].table == "trades" and self.attempts == 1:
                self.attempts += 1
                raise StoreUnavailable("between two parts")
            await super().write(rows)

    disk = Flaky()
    gap = Gap.opened(WHERE, "id_jump", T0, T0, 1)
    async with sink(disk) as lane:
        lane.on_acked = acked.extend
        await lane.put([gap.to_row(T0), trade(2)])
        await lane.drain()
    assert [row.table for row in acked] == ["gaps", "trades"]


def test_a_batch_is_written_holes_first_then_market_then_healing_then_publications() -> None:
    gap = Gap.opened(WHERE, "id_jump", T0, T0, 1).bounded(1, T0)
    healed = gap.closed("healed", "rest", T0, 0)
    watermark = Row("ingest_watermarks", T0)
    parts = staged([watermark, healed.to_row(T0), trade(2), trade(1), gap.to_row(T0)])
    assert [row.table for part in parts for row in part] == ["gaps", "trades", "trades", "gaps", "ingest_watermarks"]
    assert seqs(parts[1]) == [1, 2]
    assert parts[0][0].symbols["status"] == "open"


async def test_lane_that_fails_ends_what_waits_for_it() -> None:
    class Broken(Disk):
        async def write(self, rows: Sequence[Row]) -> None:
            raise MemoryError

    async def waits() -> None:
        async with asyncio.timeout(5), sink(Broken()) as lane:
            await lane.put([trade(1)])
            await lane.drain()

    with pytest.raises(MemoryError):
        await waits()


async def test_error_of_the_body_comes_out_as_itself() -> None:
    async def fails() -> None:
        async with sink(Disk()):
            raise StoreRejected("mine")

    with pytest.raises(StoreRejected, match="mine"):
        await fails()
