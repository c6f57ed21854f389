"""Goal: whatever is killed or away, every trade is stored once and as the venue said it.

Counts are small here; `make crash-proof` has those of the claim, at 20,000 trades a second. The market is a function of
time (`tests/market.py`): that is the ledger against which every stored row is checked in SQL.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.stage import ACKED, RATE, Stage, staged

KILLS = int(os.environ.get("ARES_TEST_KILLS", "2"))
STORE_KILLS = int(os.environ.get("ARES_TEST_STORE_KILLS", "1"))
AWAY_S = float(os.environ.get("ARES_TEST_AWAY_S", "8"))
RSS_GROWTH_MAX = 256 * 2**20


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path) as there:
        yield there


async def until(condition: Callable[[], object], seconds: float) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


async def test_collector_and_store_killed_at_random_points_lose_and_invent_nothing(stage: Stage) -> None:
    rng = random.Random(20)
    victims = ["collector"] * KILLS + ["store"] * STORE_KILLS
    rng.shuffle(victims)
    stage.open_market(5 + 4.0 * KILLS + 8.0 * STORE_KILLS)
    await stage.collect_first(1)
    for victim in victims:
        await asyncio.sleep(rng.uniform(0.2, 5.0))
        acked = await stage.number(ACKED)
        if victim == "collector":
            stage.kill_collector()
            stage.collect()
        else:
            stage.kill_store()
            await asyncio.sleep(rng.uniform(0.0, 2.0))
            await asyncio.to_thread(stage.server.start)
        sys.stdout.write(f"{victim} killed with {acked:,} acknowledged, {stage.left_s():.0f} s of market left\n")
    await asyncio.sleep(max(0.0, stage.left_s()))
    ledger = await stage.whole()
    sys.stdout.write(f"{sum(row['stored'] for row in ledger):,} trades stored after {len(victims)} kills: {ledger}\n")
    for row in ledger:
        assert row["last"] == stage.last
        assert row["stored"] == row["ids"], "a trade is there twice"
        assert row["wrong"] == 0


async def test_store_that_is_away_costs_no_trade_little_memory_and_no_question_to_the_venue(stage: Stage) -> None:
    stage.open_market(AWAY_S + 12)
    await stage.collect_first(2 * RATE)
    assert stage.collector is not None
    process = psutil.Process(stage.collector.pid)
    before = process.memory_info().rss
    stage.kill_store()
    back = time.monotonic() + AWAY_S
    most = before
    while time.monotonic() < back:
        await asyncio.sleep(0.2)
        most = max(most, process.memory_info().rss)
    spooled = sum(file.stat().st_size for file in (stage.folder / "spool").rglob("*.seg"))
    await asyncio.to_thread(stage.server.start)
    began = time.monotonic()
    while stage.left_s() > 0:
        await asyncio.sleep(0.2)
        most = max(most, process.memory_info().rss)
    ledger = await stage.whole()
    sys.stdout.write(
        f"away {AWAY_S:.0f} s: {(most - before) / 2**20:+.0f} MB of memory, {spooled / 2**20:.0f} MB on disk, "
        f"whole {time.monotonic() - began:.0f} s after the store was back: {ledger}\n"
    )
    assert spooled > 0
    assert most - before <= RSS_GROWTH_MAX
    for row in ledger:
        assert (row["wrong"], row["last"]) == (0, stage.last)
        assert row["stored"] == row["ids"] == row["streamed"], "what was spooled needs no fetching"
    await until(lambda: not list((stage.folder / "spool").rglob("*.seg")), 10)


async def test_what_lies_on_disk_when_the_collector_is_killed_is_stored_at_its_next_start(stage: Stage) -> None:
    stage.open_market(25)
    await stage.collect_first(RATE)
    stage.kill_store()
    spool = stage.folder / "spool"
    await until(lambda: sum(file.stat().st_size for file in spool.rglob("*.seg")) > 2**19, 30)
    stage.kill_collector()
    await asyncio.to_thread(stage.server.start)
    stage.collect()
    await asyncio.sleep(max(0.0, stage.left_s()))
    ledger = await stage.whole()
    assert "spool_found" in (stage.folder / "collector.log").read_text()
    for row in ledger:
        assert (row["wrong"], row["stored"], row["last"]) == (0, row["ids"], stage.last)
