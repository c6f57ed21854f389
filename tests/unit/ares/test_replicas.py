"""Goal: a replica is read only while it is close enough, and nobody hops between databases without need."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ares.config import load_config
from ares.config.replicas import ReplicaConfig
from ares.config.settings import DatabaseConfig
from ares.errors import ConfigError, UnknownName
from ares.store.replicas import STALE_S_MAX, ApplyLag, Seen, choose, database_named, watermark_lag_s

LIMIT_S = 5.0
NEAR, FAR, DEAD = Seen(100.0, 1.0), Seen(100.0, 5.1), Seen(100.0, fault="no answer")


def test_the_closest_replica_is_read_and_kept_while_it_is_close_enough() -> None:
    seen = {"a": Seen(100.0, 2.0), "b": NEAR}
    assert choose(seen, "primary", 100.0, LIMIT_S) == "b"
    assert choose(seen, "a", 100.0, LIMIT_S) == "a"


@pytest.mark.parametrize("other", [FAR, DEAD, Seen(100.0), Seen(100.0 - STALE_S_MAX - 0.1, 1.0)])
def test_a_replica_that_lags_is_dead_or_silent_is_left(other: Seen) -> None:
    assert choose({"a": other}, "a", 100.0, LIMIT_S) == "primary"
    assert choose({"a": other, "b": NEAR}, "a", 100.0, LIMIT_S) == "b"
    assert other.trouble(100.0, LIMIT_S)


def test_a_replica_that_is_back_is_read_again() -> None:
    assert choose({"a": NEAR}, "primary", 100.0, LIMIT_S) == "a"


@given(
    looks=st.lists(st.tuples(st.floats(0.1, 3.0), st.integers(0, 5), st.integers(0, 5)), max_size=40),
)
def test_what_waits_to_be_applied_is_as_old_as_its_commit(looks: list[tuple[float, int, int]]) -> None:
    known, now_s, committed, applied = ApplyLag(), 0.0, 0, 0
    commits: dict[int, float] = {}
    for wait_s, more, done in looks:
        now_s += wait_s
        commits |= dict.fromkeys(range(committed + 1, committed + more + 1), now_s)
        committed, applied = committed + more, min(applied + done, committed + more)
        waiting = [at for number, at in commits.items() if number > applied]
        assert known.seen(now_s, committed, applied) == pytest.approx(now_s - min(waiting, default=now_s))


def test_a_database_is_as_far_behind_as_its_slowest_symbol() -> None:
    rows = [{"symbol": "A", "watermark_ns": 9 * 10**9}, {"symbol": "B", "watermark_ns": 4 * 10**9}]
    assert watermark_lag_s(rows, ["A", "B"], 10 * 10**9) == 6.0
    assert watermark_lag_s(rows, ["A"], 10 * 10**9) == 1.0
    assert watermark_lag_s(rows, ["A", "C"], 10 * 10**9) == math.inf
    assert watermark_lag_s([], [], 0) == math.inf


def test_a_replica_is_reached_as_the_primary_is_but_elsewhere() -> None:
    config = DatabaseConfig(
        user="me", pool_size_max=9, replicas=(ReplicaConfig(name="near", host="10.0.0.9", pg_port=1234),)
    )
    near = database_named(config, "near")
    assert (near.host, near.pg_port, near.user, near.pool_size_max) == ("10.0.0.9", 1234, "me", 9)
    assert database_named(config, "primary") is config
    with pytest.raises(UnknownName, match="Known: near, primary"):
        database_named(config, "far")


def test_two_databases_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="two databases are called 'primary'"):
        DatabaseConfig(replicas=(ReplicaConfig(name="primary"),))


def test_half_a_transport_is_refused_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"kafka\.servers.*ARES_KAFKA__SERVERS"):
        load_config(environ={"ARES_INGEST__TRANSPORT": "kafka"})
    with pytest.raises(ConfigError, match=r"ingest\.sink_database = 'near'.*database\.replicas"):
        load_config(environ={"ARES_INGEST__SINK_DATABASE": "near"})
    there = {"ARES_DATABASE__REPLICAS": '[{"name": "near"}]', "ARES_INGEST__SINK_DATABASE": "near"}
    assert load_config(environ=there).database.replicas[0].name == "near"


def test_a_replica_on_another_machine_is_not_reached_in_the_clear_outside_dev() -> None:
    there = {
        "ARES_DATABASE__PASSWORD": "x" * 20,
        "ARES_DATABASE__READONLY_PASSWORD": "y" * 20,
        "ARES_DATABASE__REPLICAS": '[{"name": "near", "host": "db2.internal"}]',
    }
    with pytest.raises(ConfigError, match=r"database\.tls.*db2\.internal"):
        load_config(profile="prod", environ=there)
