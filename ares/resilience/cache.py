"""What was read lately, with the moment for which it held: whoever reads says how old it may be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import LRUCache

from ares.clock import NANOS_PER_SECOND, Clock
from ares.telemetry import metrics

K = TypeVar("K")
V = TypeVar("V")
KEYS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Seen(Generic[V]):
    """A value and when it was true: event or receipt time (UTC ns), not when it was put here."""

    value: V
    at_ns: int


class Cache(Generic[K, V]):
    """Read-through, of one kind of thing; there is no age that holds for all readers, so each names its own.

    `load` is asked for several keys at once, once at a time for each: others that want the same wait for its answer. A
    key that it leaves out is one that the source does not have. A failed load changes nothing. The least used of more
    than `KEYS_MAX` keys are forgotten.
    """

    def __init__(self, name: str, clock: Clock, load: Callable[[list[K]], Awaitable[Mapping[K, V]]]) -> None:
        self._clock = clock
        self._load = load
        self._seen: LRUCache[K, Seen[V]] = LRUCache(KEYS_MAX)
        self._loading: dict[K, asyncio.Task[None]] = {}
        self._hits, self._misses, self._failures = (
            metrics.CACHE_REQUESTS.labels(name, outcome) for outcome in ("hit", "miss", "failed")
        )
        self._ages = metrics.CACHE_AGE_SECONDS.labels(name)

    def learn(self, key: K, value: V, at_ns: int) -> None:
        """Take a value that came by another way; an older one never replaces a newer one."""
        known = self._seen.get(key)
        if known is None or known.at_ns <= at_ns:
            self._seen[key] = Seen(value, at_ns)

    def peek(self, key: K, age_s_max: float) -> V | None:
        """What is known, if it is young enough; nothing is loaded."""
        known, now_ns = self._seen.get(key), self._clock.now_ns()
        if known is None or now_ns - known.at_ns > age_s_max * NANOS_PER_SECOND:
            self._misses.inc()
            return None
        self._hits.inc()
        self._ages.observe(max(0, now_ns - known.at_ns) / NANOS_PER_SECOND)
        return known.value

    def last(self, key: K) -> Seen[V] | None:
        """What was known last, however old: for showing, and where an old value is better than none."""
        return self._seen.get(key)

    async def get(self, keys: Collection[K], age_s_max: float) -> dict[K, V]:
        """Values not older than this; what is not there or too old is loaded. Raises what `load` raises.

        A key is missing from the answer if the source does not have it, or took longer than the age allows.
        """
        found: dict[K, V] = {}
        missing: list[K] = []
        for key in dict.fromkeys(keys):
            value = self.peek(key, age_s_max)
            if value is None:
                missing.append(key)
            else:
                found[key] = value
        for task in self._loads(missing):
            await asyncio.shield(task)  # who is cancelled here must not take the answer from the others
        oldest_ns = self._clock.now_ns() - round(age_s_max * NANOS_PER_SECOND)
        for key in missing:
            seen = self._seen.get(key)
            if seen is not None and seen.at_ns >= oldest_ns:
                found[key] = seen.value
        return found

    def _loads(self, keys: list[K]) -> list[asyncio.Task[None]]:
        """The loads that will bring these keys, each once; begins one for those that nobody asked for yet."""
        mine = [key for key in keys if key not in self._loading]
        if mine:
            task = asyncio.create_task(self._fill(mine), name="cache")
            task.add_done_callback(_look_at_its_end)
            self._loading |= dict.fromkeys(mine, task)
        return list(dict.fromkeys(self._loading[key] for key in keys))

    async def _fill(self, keys: list[K]) -> None:
        began_ns = self._clock.now_ns()
        try:
            for key, value in (await self._load(keys)).items():
                self.learn(key, value, began_ns)
        except BaseException:
            self._failures.inc()
            raise
        finally:
            for key in keys:
                del self._loading[key]


def _look_at_its_end(task: asyncio.Task[None]) -> None:
    """A failure that nobody waits for any more is no news: the next reader asks again."""
    if not task.cancelled():
        task.exception()
