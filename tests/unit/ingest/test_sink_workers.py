"""Goal: what a worker says of refused trades is what their collector would say, and each database has its own group."""

from __future__ import annotations

import pytest

from ares.clock import SystemClock
from ares.config.replicas import ReplicaConfig
from ares.config.settings import AresConfig, DatabaseConfig, IngestConfig, VenueConfig
from ares.errors import ConfigError
from ares.model.market import Trade
from ares.model.row import Row
from ares.service import ServiceContext
from ingest.intakes import intake_of
from ingest.transport import group_of, primary_group_of
from ingest.worker import create, lost_trade


def trade(venue: str) -> Trade:
    return Trade(venue, "BTC/USDT", "77", 77, "buy", 1.0, 1.0, 5_000, 6_000, "stream")


def test_a_refused_trade_is_lost_by_its_id_or_by_its_time_as_its_venue_counts() -> None:
    venues = {"dense": VenueConfig(protocol="binance"), "sparse": VenueConfig(protocol="bybit")}
    for venue, dense_ids in (("dense", True), ("sparse", False), ("not-configured", True)):
        [row] = lost_trade(trade(venue), venues)
        assert row == intake_of(venue, "BTC/USDT", dense_ids=dense_ids).lost_row(77, 5_000, 6_000)
        assert (row.columns["first_seq"] == 77) is dense_ids
    assert lost_trade(Row("gaps", 1, {"venue": "dense"}, {}), venues) == []


def test_each_database_has_a_group_of_its_own_and_collectors_wait_for_that_of_the_primary() -> None:
    def config(database: str, group: str | None = None) -> AresConfig:
        ingest = IngestConfig(sink_database=database, sink_group=group)
        return AresConfig(database=DatabaseConfig(replicas=(ReplicaConfig(name="near"),)), ingest=ingest)

    assert group_of(config("primary")) == primary_group_of(config("primary")) == "ares.ticks/primary"
    assert group_of(config("near")) == "ares.ticks/near"
    assert primary_group_of(config("near", "anew")) == "ares.ticks/primary"
    assert (
        group_of(config("primary", "anew")) == primary_group_of(config("primary", "anew")) == "ares.ticks/primary/anew"
    )


def test_a_worker_without_brokers_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"kafka\.servers = None.*ARES_KAFKA__SERVERS"):
        create(ServiceContext(AresConfig(), SystemClock(), "sink"))
