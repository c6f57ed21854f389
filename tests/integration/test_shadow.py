"""Goal: challengers are scored beside the champion on a real database, and signals read one served score of a bar."""

from __future__ import annotations

from pathlib import Path

import pytest

from analytics.facts import BarKey
from analytics.models.standing import Entry, Standing
from analytics.scoring import Scorer
from analytics.serving import draw
from ares.clock import MINUTE_NS
from ares.store import Database, Record, RowWriter
from tests.integration.test_analytics_freeze import BTC, FROZEN, MINUTES, START_NS, begun
from tests.unit.analytics.test_serving import Told, kept

FROM_NS = START_NS + 60 * MINUTE_NS
BARS = MINUTES - 60
SHARE = 0.5


def version(folder: Path, name: str, seed: int) -> Entry:
    return kept(folder, name, seed, names=("return_1m_v1", "rsi_14_v1"))


async def read(database: Database, sql: str, venue: str) -> list[Record]:
    await database.wait_applied(FROZEN)
    return await database.fetch(sql, {"venue": venue})


async def test_every_version_is_scored_and_signals_read_what_is_served(
    database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    _, keeper = await begun(database, writer, venue)
    told = Told(Standing(version(tmp_path, "v1", 1), (version(tmp_path, "v2", 2),)))
    scorer = Scorer(database, venue, "direction", tmp_path, ab_share=SHARE, stages=told)
    keeper.freezer.scorer = scorer
    assert await scorer.reload()
    await keeper.freeze_since(FROM_NS)
    every = "SELECT ts::long AS ts_ns, version, role, served, score FROM predictions WHERE venue = %(venue)s"
    first = await read(database, every, venue)
    assert len(first) == 2 * BARS
    assert {(row["version"], row["role"]) for row in first} == {("v1", "champion"), ("v2", "challenger")}
    served = {int(str(row["ts_ns"])): row for row in first if row["served"]}
    assert len(served) == BARS, "one score of a bar is served"
    by_lot = {ts_ns: "v2" if draw(BarKey(BTC, ts_ns)) < SHARE else "v1" for ts_ns in served}
    assert {ts_ns: row["version"] for ts_ns, row in served.items()} == by_lot
    signals = (
        "SELECT ts::long AS ts_ns, model_version, confidence FROM signal_values"
        " WHERE venue = %(venue)s AND strategy = 'signal_direction'"
    )
    wishes = await read(database, signals, venue)
    assert {int(str(row["ts_ns"])): row["model_version"] for row in wishes} == by_lot
    for row in wishes:
        score = float(str(served[int(str(row["ts_ns"]))]["score"]))
        assert row["confidence"] == pytest.approx(abs(score - 0.5) * 2)
    assert scorer.serving.versions == ("v1", "v2")
    told.now = Standing(version(tmp_path, "v3", 3), (version(tmp_path, "v1", 1), version(tmp_path, "v2", 2)))
    assert await scorer.reload()
    await keeper.freeze_since(FROM_NS)
    assert await read(database, every, venue) == first, "what is served stays, and who has spoken does not again"
    told.now = Standing(version(tmp_path, "v3", 3), (version(tmp_path, "v4", 4),))
    assert await scorer.reload()
    await keeper.freeze_since(FROM_NS)
    later = await read(database, every + " AND version = 'v4'", venue)
    assert len(later) == BARS, "a new challenger catches up with the day"
    assert not [row for row in later if row["served"]]
    assert await read(database, signals, venue) == wishes, "no wish changes by that"
