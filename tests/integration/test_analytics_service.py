"""Goal: the service trains its first model by itself, asks it about bars it has not seen, and says how it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from analytics.jobs import TRAIN
from analytics.scoring import Scorer
from analytics.services import ANALYTICS
from analytics.testing import SyntheticMarket
from ares.clock import MINUTE_NS, NANOS_PER_SECOND, SystemClock, floor_ns, to_datetime
from ares.config.settings import AresConfig, DatabaseConfig, EnvironmentConfig, IngestConfig
from ares.config.training import TrainingConfig
from ares.service import Health, ServiceContext
from ares.store import Database, RowWriter
from tests.helpers import eventually, running

BTC = "BTC/USDT"
MINUTES = 600
WAIT_S_MAX = 40.0


def context_of(database: DatabaseConfig, venue: str, state_dir: Path, **training: object) -> ServiceContext:
    settings = TrainingConfig.model_validate({"model": f"of_{venue}", "rows_min": 200, "cron": "0 0 1 1 *", **training})
    config = AresConfig(
        environment=EnvironmentConfig(state_dir=state_dir),
        database=database,
        ingest=IngestConfig(venue=venue, symbols=(BTC,)),
        training=settings,
    )
    return ServiceContext(config, SystemClock(), "test")


async def a_market(writer: RowWriter, venue: str) -> SyntheticMarket:
    """Hours of the venue's candles, then trades of our own up to two minutes ago; all of it complete."""
    market = SyntheticMarket(venue, symbols=[BTC])
    now_ns = SystemClock().now_ns()
    start_ns = floor_ns(now_ns, MINUTE_NS) - MINUTES * MINUTE_NS
    await writer.write(market.candles(start_ns, MINUTES - 30))
    await writer.write(market.trades(start_ns + (MINUTES - 31) * MINUTE_NS, 30))
    await writer.write(market.marks(now_ns, start_ns + (MINUTES - 2) * MINUTE_NS + NANOS_PER_SECOND))
    return market


async def count(database: Database, sql: str, venue: str, *tables: str, since_ns: int = 0) -> int:
    await database.wait_applied(tables)
    row = await database.fetch_one(sql, {"venue": venue, "model": f"of_{venue}", "since": to_datetime(since_ns)})
    return 0 if row is None else int(str(row["n"]))


async def test_service_freezes_trains_and_scores_by_itself(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> None:
    context = context_of(questdb_config, venue, tmp_path)
    market = await a_market(writer, venue)
    async with running(ANALYTICS.build(context)) as service:
        assert service.health() == Health(False, "waiting for ingest to say that history is complete")
        await eventually(lambda: service.health() == Health(True, ""), WAIT_S_MAX)
        model = tmp_path / "models" / f"of_{venue}"
        await eventually(lambda: any(model.glob("*.joblib")), WAIT_S_MAX)
        predicted = "SELECT count() AS n FROM predictions WHERE venue = %(venue)s"
        async with asyncio.timeout(WAIT_S_MAX):
            while not await count(database, predicted, venue, "predictions"):
                await asyncio.sleep(0.1)
        now_ns = SystemClock().now_ns()
        minute_ns = floor_ns(now_ns, MINUTE_NS) - MINUTE_NS
        await writer.write(market.trades(minute_ns, 1))
        await writer.write(market.marks(now_ns, floor_ns(now_ns, MINUTE_NS) + NANOS_PER_SECOND))
        live = "SELECT count() AS n FROM predictions WHERE venue = %(venue)s AND ts >= %(since)s"
        async with asyncio.timeout(WAIT_S_MAX):
            while not await count(database, live, venue, "predictions", since_ns=minute_ns):
                await asyncio.sleep(0.1)
    run = await database.fetch_one(
        "SELECT status, rows, auc, null_share, features, artifact, train_to FROM training_runs WHERE model = %(model)s",
        {"model": f"of_{venue}"},
    )
    assert run is not None
    assert run["status"] == "ok"
    assert "spread_v1" not in str(run["features"])
    assert (tmp_path / str(run["artifact"])).is_file()
    early = await database.fetch(
        "SELECT ts FROM predictions WHERE venue = %(venue)s AND ts <= %(to)s",
        {"venue": venue, "to": str(run["train_to"])},
    )
    assert early == [], "a model never scores what it was fitted on"
    roles = await database.fetch(
        "SELECT DISTINCT role, served FROM predictions WHERE venue = %(venue)s", {"venue": venue}
    )
    assert roles == [{"role": "champion", "served": True}]


async def test_too_little_history_is_a_recorded_skip(
    questdb_config: DatabaseConfig, database: Database, venue: str, tmp_path: Path
) -> None:
    outcome = await TRAIN.run(context_of(questdb_config, venue, tmp_path, rows_min=500))
    assert outcome["status"] == "skipped"
    assert outcome["reason"] == "0 complete rows, fewer than training.rows_min = 500"
    assert not (tmp_path / "models").exists()
    row = await database.fetch_one(
        "SELECT status, reason FROM training_runs WHERE model = %(model)s", {"model": f"of_{venue}"}
    )
    assert row == {"status": "skipped", "reason": outcome["reason"]}


@pytest.fixture
async def trained(
    questdb_config: DatabaseConfig, database: Database, writer: RowWriter, venue: str, tmp_path: Path
) -> Scorer:
    """A scorer whose model is fitted and kept, and not loaded yet."""
    context = context_of(questdb_config, venue, tmp_path)
    await a_market(writer, venue)
    async with running(ANALYTICS.build(context)) as service:
        model = tmp_path / "models" / f"of_{venue}"
        await eventually(lambda: service.health().ready and any(model.glob("*.joblib")), WAIT_S_MAX)
        staged = "SELECT count() AS n FROM model_events WHERE model = %(model)s AND event = 'registered'"
        async with asyncio.timeout(WAIT_S_MAX):
            while not await count(database, staged, venue, "model_events"):
                await asyncio.sleep(0.1)
    return Scorer(database, venue, f"of_{venue}", tmp_path)


async def test_altered_artifact_is_refused_and_whole_one_is_taken_up(trained: Scorer, tmp_path: Path) -> None:
    (artifact,) = (tmp_path / "models" / trained.name).glob("*.joblib")
    good = artifact.read_bytes()
    artifact.write_bytes(good + b"x")
    assert not await trained.reload()
    assert trained.model is None
    artifact.write_bytes(good)
    assert not await trained.reload(), "a refused version stays refused while the process lives"
    assert "is refused, nothing is scored" in trained.trouble
    trained.refused.clear()
    assert await trained.reload()
    assert trained.model is not None
    assert not await trained.reload(), "nothing newer"
