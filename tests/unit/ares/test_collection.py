"""Goal: what a service loaded is not walked again and again, and every pause is told."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from ares.config.settings import ResourcesConfig
from ares.service.collection import pauses_measured, settle, tell_pauses


@pytest.fixture
def collector() -> Iterator[None]:
    """Leaves the collector of the test run as it was."""
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)


def pauses(generation: str) -> float:
    return REGISTRY.get_sample_value("ares_gc_pause_seconds_count", {"generation": generation}) or 0.0


@pytest.mark.usefixtures("collector")
def test_what_a_service_loaded_is_set_aside_and_new_garbage_is_still_found() -> None:
    loaded = [{} for _ in range(1_000)]
    settle(ResourcesConfig(gc_young_objects_max=5_000))
    assert gc.get_freeze_count() > len(loaded)
    assert gc.get_threshold()[0] == 5_000
    ring: list[object] = []
    ring.append(ring)
    del ring
    assert gc.collect() >= 1


def test_pauses_are_observed_as_long_as_they_are_asked_for() -> None:
    with pauses_measured():
        tell_pauses()
        before = pauses("2")
        gc.collect()
        tell_pauses()
        assert pauses("2") == before + 1
    gc.collect()
    tell_pauses()
    assert pauses("2") == before + 1
