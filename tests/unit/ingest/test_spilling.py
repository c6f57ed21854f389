"""While the store is away rows go to disk and come back in order; a full disk stops nothing but the room it gives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from ares.clock import SystemClock
from ares.errors import StateDirUnusable, StoreUnavailable
from ares.model.market import Entry
from ares.model.row import Row
from ares.resilience import Backoff
from ingest.sink import Lane, Sink, running
from ingest.spool import MAGIC, Spool

MB = 2**20


@dataclass
class Store:
    """A writer that answers nothing while `away`."""

    away: bool = True
    written: list[Entry] = field(default_factory=list)

    async def write(self, rows: Sequence[Entry]) -> None:
        if self.away:
            raise StoreUnavailable("away")
        self.written += rows

    def numbers(self) -> list[int]:
        return [row.ts_ns for row in self.written if isinstance(row, Row)]


def row(number: int, bytes_: int = 10) -> Row:
    return Row("t", number, {}, {"text": "x" * bytes_})


def spool_in(folder: Path, bytes_max: int = 64 * MB) -> Spool:
    spool = Spool(folder, bytes_max, 1.0, SystemClock())
    spool.open()
    return spool


@asynccontextmanager
async def lane_to(store: Store, spool: Spool) -> AsyncIterator[Sink]:
    """A lane whose queue holds ten rows."""
    sink = Sink(Lane("live", "sim", 10, 4, 0.0), store, SystemClock(), Backoff(0.001, 0.002, random.Random(1)))
    sink.spill_to(spool)
    async with running([sink]):
        yield sink


async def put(sink: Sink, numbers: range, bytes_: int = 10) -> None:
    for number in numbers:
        await sink.put([row(number, bytes_)])


async def test_rows_that_the_queue_cannot_hold_come_back_in_order(tmp_path: Path) -> None:
    store, spool = Store(), spool_in(tmp_path)
    async with lane_to(store, spool) as sink:
        await put(sink, range(500))
        assert sink.depth == 500
        assert spool.rows >= 480
        store.away = False
        await put(sink, range(500, 600))
        await sink.drain()
    assert store.numbers() == list(range(600))
    assert (spool.rows, spool.size, sink.depth) == (0, 0, 0)
    assert segments(tmp_path) == []
    spool.close()


async def test_what_a_process_leaves_the_next_one_writes_first(tmp_path: Path) -> None:
    store, spool = Store(), spool_in(tmp_path)
    async with lane_to(store, spool) as sink:
        await put(sink, range(100))
    sink.leave()
    spool.close()
    again = spool_in(tmp_path)
    assert again.rows == 100
    store.away = False
    async with lane_to(store, again) as sink:
        await put(sink, range(100, 120))
        await sink.drain()
    assert store.numbers() == list(range(120))
    again.close()


async def test_what_is_queued_behind_the_last_of_the_spool_is_left_behind_it(tmp_path: Path) -> None:
    store, spool = Store(away=True), spool_in(tmp_path)
    spool.append([row(0)])
    async with lane_to(store, spool) as sink:
        while spool.rows:
            await asyncio.sleep(0)
        await put(sink, range(1, 5))
    sink.leave()
    assert [each.ts_ns for each in spool_again(spool, tmp_path).take(100) if isinstance(each, Row)] == list(range(5))


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def spool_again(spool: Spool, folder: Path) -> Spool:
    spool.close()
    return spool_in(folder)


async def test_spool_that_is_full_lets_put_wait_and_takes_rows_again_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sink.FULL_POLL_S", 0.01)
    store, spool = Store(), spool_in(tmp_path, bytes_max=MB)
    async with lane_to(store, spool) as sink:
        with capture_logs() as logs:
            putting = asyncio.create_task(put(sink, range(200), bytes_=20_000))
            done, _ = await asyncio.wait({putting}, timeout=0.5)
        assert not done
        assert [log["log_level"] for log in logs if log["event"] == "spool_full"] == ["error"]
        assert sink.trouble == "the spool holds its 1 MB; see ingest.spool_mb_max"
        assert sink.pressure == 1.0
        assert REGISTRY.get_sample_value("ares_ingest_spool_full") == 1
        store.away = False
        await putting
        await sink.drain()
    assert store.numbers() == list(range(200))
    assert (sink.trouble, REGISTRY.get_sample_value("ares_ingest_spool_full")) == ("", 0)
    spool.close()


async def test_disk_that_is_full_is_said_loses_nothing_and_is_used_again_once_there_is_room(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.sink.FULL_POLL_S", 0.01)
    store, spool = Store(), spool_in(small_disk)
    hog = small_disk / "hog"
    hog.write_bytes(b"x" * 100_000)
    async with lane_to(store, spool) as sink:
        putting = asyncio.create_task(put(sink, range(32), bytes_=10_000))
        while not sink.trouble:
            await asyncio.sleep(0.01)
        assert sink.trouble == "the spool's disk takes nothing more: No space left on device"
        before = spool.rows
        hog.unlink()
        while sink.trouble:
            await asyncio.sleep(0.01)
        assert spool.rows > before
        store.away = False
        await putting
        await sink.drain()
    assert store.numbers() == list(range(32))
    spool.close()


async def test_segment_that_the_disk_spoiled_is_given_up_and_what_follows_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool.SEGMENT_BYTES", 1_000)
    store, spool = Store(), spool_in(tmp_path)
    async with lane_to(store, spool) as sink:
        await put(sink, range(100), bytes_=100)
        first = segments(tmp_path)[0]
        data = bytearray(first.read_bytes())
        data[len(MAGIC) + 20] ^= 0xFF
        first.write_bytes(data)
        with capture_logs() as logs:
            store.away = False
            await sink.drain()
    assert [log["path"] for log in logs if log["event"] == "spool_segment_spoiled"] == [str(first)]
    numbers = store.numbers()
    assert numbers == sorted(numbers)
    assert numbers[-1] == 99
    assert 100 - len(numbers) <= 10
    assert sink.depth == 0
    spool.close()


def test_two_processes_do_not_share_a_folder_and_foreign_files_are_named(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "a")
    with pytest.raises(StateDirUnusable, match="another process collects this venue"):
        spool_in(tmp_path / "a")
    spool.close()
    foreign = tmp_path / "a" / "00000000001000000000.seg"
    foreign.write_bytes(b"ARES-SPOOL-9\nwhatever")
    with pytest.raises(StateDirUnusable, match=r"00\.seg.*not a spool of this version; move the file away"):
        spool_in(tmp_path / "a")
