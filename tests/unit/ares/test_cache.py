"""Goal: a cache gives nothing older than its reader allows, asks once for many, and tells how well it works."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from ares.clock import NANOS_PER_SECOND
from ares.errors import VenueUnavailable
from ares.resilience import Cache
from ares.testing.clock import SteppedClock


class Source:
    """Where values come from; it answers after `seconds`, or fails."""

    def __init__(self, clock: SteppedClock, seconds: float = 0.0) -> None:
        self.clock = clock
        self.seconds = seconds
        self.asked: list[list[str]] = []
        self.values: dict[str, int] = {}
        self.fails = False

    async def load(self, keys: list[str]) -> Mapping[str, int]:
        self.asked.append(keys)
        await self.clock.sleep(self.seconds)
        if self.fails:
            raise VenueUnavailable("down")
        return {key: self.values[key] for key in keys if key in self.values}


def made(seconds: float = 0.0, name: str = "test") -> tuple[Cache[str, int], Source, SteppedClock]:
    clock = SteppedClock()
    source = Source(clock, seconds)
    return Cache(name, clock, source.load), source, clock


async def test_a_young_value_is_given_without_asking_and_an_old_one_is_loaded_again() -> None:
    cache, source, clock = made()
    source.values["a"] = 1
    assert await cache.get(["a"], 10) == {"a": 1}
    source.values["a"] = 2
    await clock.advance(10)
    assert await cache.get(["a"], 10) == {"a": 1}
    await clock.advance(0.001)
    assert cache.peek("a", 10) is None
    assert await cache.get(["a"], 10) == {"a": 2}
    assert source.asked == [["a"], ["a"]]


async def test_each_reader_names_its_own_age() -> None:
    cache, _, clock = made()
    cache.learn("a", 1, clock.now_ns() - 5 * NANOS_PER_SECOND)
    assert cache.peek("a", 5) == 1
    assert cache.peek("a", 4.9) is None
    seen = cache.last("a")
    assert seen is not None
    assert seen.value == 1


async def test_only_what_is_missing_is_asked_for_and_what_the_source_lacks_is_missing() -> None:
    cache, source, clock = made()
    cache.learn("a", 1, clock.now_ns())
    source.values["b"] = 2
    assert await cache.get(["a", "b", "c", "b"], 10) == {"a": 1, "b": 2}
    assert source.asked == [["b", "c"]]


async def test_an_older_observation_never_replaces_a_newer_one() -> None:
    cache, _, clock = made()
    cache.learn("a", 2, clock.now_ns())
    cache.learn("a", 1, clock.now_ns() - 1)
    assert cache.peek("a", 1) == 2


async def test_many_readers_at_once_ask_the_source_once() -> None:
    cache, source, clock = made(seconds=1)
    source.values |= {"a": 1, "b": 2}
    readers = [asyncio.create_task(cache.get(keys, 10)) for keys in (["a"], ["a", "b"], ["b"], ["a"])]
    await clock.advance(1)
    assert await asyncio.gather(*readers) == [{"a": 1}, {"a": 1, "b": 2}, {"b": 2}, {"a": 1}]
    assert source.asked == [["a"], ["b"]]


async def test_a_reader_that_gives_up_does_not_take_the_answer_from_the_others() -> None:
    cache, source, clock = made(seconds=1)
    source.values["a"] = 1
    impatient = asyncio.create_task(cache.get(["a"], 10))
    patient = asyncio.create_task(cache.get(["a"], 10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    impatient.cancel()
    await clock.advance(1)
    assert await patient == {"a": 1}
    with pytest.raises(asyncio.CancelledError):
        await impatient


async def test_a_failed_load_is_told_to_all_who_wait_and_changes_nothing() -> None:
    cache, source, clock = made(seconds=1)
    cache.learn("a", 1, clock.now_ns() - 20 * NANOS_PER_SECOND)
    source.fails = True
    readers = [asyncio.create_task(cache.get(["a"], 10)) for _ in range(3)]
    await clock.advance(1)
    assert [type(each) for each in await asyncio.gather(*readers, return_exceptions=True)] == [VenueUnavailable] * 3
    assert len(source.asked) == 1
    seen = cache.last("a")
    assert seen is not None
    assert seen.value == 1
    source.fails, source.values["a"] = False, 2
    again = asyncio.create_task(cache.get(["a"], 10))
    await clock.advance(1)
    assert await again == {"a": 2}


async def test_a_value_counts_as_old_as_the_question_not_the_answer() -> None:
    cache, source, clock = made(seconds=5)
    source.values["a"] = 1
    reading = asyncio.create_task(cache.get(["a"], 4))
    await clock.advance(5)
    assert await reading == {}, "it took longer than its reader allows"
    assert cache.peek("a", 5) == 1


async def test_hits_misses_failures_and_ages_are_measured() -> None:
    cache, source, clock = made(name="measured")
    source.values["a"] = 1

    def count(outcome: str) -> float | None:
        return REGISTRY.get_sample_value("ares_cache_requests_total", {"cache": "measured", "outcome": outcome})

    await cache.get(["a"], 10)
    await clock.advance(3)
    cache.peek("a", 10)
    source.fails = True
    with pytest.raises(VenueUnavailable):
        await cache.get(["b"], 10)
    assert (count("hit"), count("miss"), count("failed")) == (1, 2, 1)
    assert REGISTRY.get_sample_value("ares_cache_age_seconds_sum", {"cache": "measured"}) == 3


moments = st.integers(0, 100)


@given(st.lists(st.tuples(st.sampled_from("abc"), moments, moments, st.integers(0, 40)), max_size=40))
def test_nothing_is_ever_given_that_is_older_than_allowed(steps: list[tuple[str, int, int, int]]) -> None:
    """Whatever is learned in whatever order: a value given is the newest known, and young enough."""
    clock = SteppedClock(start_ns=100 * NANOS_PER_SECOND)
    cache: Cache[str, int] = Cache("property", clock, Source(clock).load)
    newest: dict[str, int] = {}
    for key, at_s, _, age_s in steps:
        cache.learn(key, at_s, at_s * NANOS_PER_SECOND)
        newest[key] = max(newest.get(key, 0), at_s)
        given_value = cache.peek(key, age_s)
        assert given_value == (newest[key] if 100 - newest[key] <= age_s else None)
