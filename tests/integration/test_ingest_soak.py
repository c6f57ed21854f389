"""Goal: a collector that runs for long grows neither in memory nor in what waits for it. `make soak` is the long one.

The demo's two markets send some 130 messages a second; this one sends more than twice that.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.stage import Stage, staged

SOAK_S = float(os.environ.get("ARES_TEST_SOAK_S", "0"))
LOOK_S = min(5.0, SOAK_S / 10)
RATE = 200
"""Trades a second of each of the two symbols."""
SLOPE_MB_PER_HOUR_MAX = 24.0
LONG_S = 600.0
"""A shorter run says nothing of a slope: a process fills its caches first."""
QUEUE_ROWS_MAX = 5_000
WAL_LAG_MAX = 200
LAG = "SELECT max(sequencerTxn - writerTxn) AS n FROM wal_tables()"
QUEUE = re.compile(r'^ares_ingest_queue_rows\{lane="live"\} (\S+)$', re.MULTILINE)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with staged(tmp_path, RATE) as there:
        yield there


@pytest.mark.skipif(SOAK_S == 0, reason="make soak runs it")
async def test_memory_queue_and_log_stay_bounded_over_time(stage: Stage) -> None:
    stage.open_market(SOAK_S + 10)
    await stage.collect_first(RATE)
    assert stage.collector is not None
    process, began = psutil.Process(stage.collector.pid), time.monotonic()
    times: list[float] = []
    resident: list[float] = []
    queued, lags = [0.0], [0]
    while time.monotonic() - began < SOAK_S:
        await asyncio.sleep(LOOK_S)
        times.append(time.monotonic() - began)
        resident.append(process.memory_info().rss / 2**20)
        found = QUEUE.search(await asyncio.to_thread(stage.asked_at, "collector", "/metrics"))
        queued.append(float(found.group(1)) if found else 0.0)
        lags.append(await stage.number(LAG))
    settled = len(times) // 4
    slope = float(np.polyfit(times[settled:], resident[settled:], 1)[0]) * 3_600
    sys.stdout.write(
        f"{SOAK_S:.0f} s, {2 * RATE} trades/s: resident {resident[0]:.0f} to {resident[-1]:.0f} MB, "
        f"slope {slope:+.1f} MB/h after the first quarter, at most {max(queued):.0f} rows waited, "
        f"WAL at most {max(lags)} transactions behind\n"
    )
    assert max(queued) <= QUEUE_ROWS_MAX
    assert max(lags) <= WAL_LAG_MAX
    assert SOAK_S < LONG_S or slope <= SLOPE_MB_PER_HOUR_MAX
    await asyncio.sleep(max(0.0, stage.left_s()))
    for row in await stage.whole():
        assert (row["wrong"], row["last"]) == (0, stage.last)
        assert row["stored"] == row["ids"] == row["streamed"]
