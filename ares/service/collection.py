"""Python's cycle collector in a process that runs for weeks: what it looks at, how often, and how long it stops us.

A service loads some hundred thousand objects (modules, a venue's markets) that never become garbage, and with Python's
own settings every full collection walks all of them. Once a service has started, they are set aside (`gc.freeze`);
what is left is small, and looked at less often.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ares.config.settings import ResourcesConfig
from ares.telemetry import get_logger, metrics

log = get_logger(__name__)


_pauses: deque[tuple[int, float]] = deque(maxlen=10_000)
"""Generation and seconds of collections that the metrics do not know yet."""


@contextmanager
def pauses_measured() -> Iterator[None]:
    """Note every collection of this process, as long as the block lasts; `tell_pauses` brings them to the metrics.

    A collection may begin anywhere, inside the metrics' own lock too: there is no asking for that lock from here.
    """
    began_s = 0.0

    def observe(phase: str, about: Mapping[str, int]) -> None:
        nonlocal began_s
        if phase == "start":
            began_s = time.perf_counter()
        else:
            _pauses.append((about["generation"], time.perf_counter() - began_s))

    gc.callbacks.append(observe)
    try:
        yield
    finally:
        gc.callbacks.remove(observe)


def tell_pauses() -> None:
    """Bring what was noted to the metrics."""
    while _pauses:
        generation, seconds = _pauses.popleft()
        metrics.GC_PAUSE_SECONDS.labels(str(generation)).observe(seconds)


def settle(config: ResourcesConfig) -> None:
    """Call once a service has started: what lives now is taken to live for ever."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(config.gc_young_objects_max, *gc.get_threshold()[1:])
    log.info("collector_settled", frozen=gc.get_freeze_count(), threshold=gc.get_threshold())
