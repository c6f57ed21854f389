"""How long Python's collector stops a service that decodes and holds rows: settled as ours, as Python comes, bare.

Every round is a process of its own with what a trader on a large venue loads: our packages and 3,000 markets. "limit"
is the same work in a process that loaded next to nothing. More is better, so the figure is 1 / the longest pause.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from contest import Bench, Run

TRADES, HELD = 400_000, 100_000
MARKETS, FIELDS = 3_000, 40


def load() -> object:
    """What lives as long as the process."""
    import ccxt.async_support
    import sklearn.linear_model

    import analytics.service
    import ingest.service
    import trader.service

    modules = (ccxt, sklearn, analytics, ingest, trader)
    return modules, [
        {"id": n, "limits": {"amount": {"min": n}}, "filters": [{"k": k, "v": [n, k]} for k in range(FIELDS)]}
        for n in range(MARKETS)
    ]


def work(kind: str) -> float:
    """Seconds of the longest pause."""
    held = load() if kind != "bare" else None
    from ares.config.settings import ResourcesConfig
    from ares.model.market import Trade
    from ares.service.collection import settle

    if kind != "default":
        settle(ResourcesConfig())
    began, longest = 0.0, 0.0

    def observe(phase: str, _: Mapping[str, int]) -> None:
        nonlocal began, longest
        now = time.perf_counter()
        began, longest = (now, longest) if phase == "start" else (began, max(longest, now - began))

    gc.callbacks.append(observe)
    rows: deque[object] = deque(maxlen=HELD)
    for n in range(TRADES):
        rows.append(Trade("v", "BTC/USDT", str(n), n, "buy", 60_000.0, 0.01, n, n, "stream"))
    assert len(rows) == HELD
    assert held is not None or kind == "bare"
    return longest


def in_a_process_of_its_own(kind: str) -> Run:
    def run() -> float:
        said = subprocess.run(
            [sys.executable, __file__, kind], check=True, capture_output=True, text=True, timeout=300
        ).stdout
        return 1 / float(said.splitlines()[-1])

    return run


def bench() -> Bench:
    """The inverse of the longest pause."""

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        yield {
            "ares": in_a_process_of_its_own("settled"),
            "peer": in_a_process_of_its_own("default"),
            "limit": in_a_process_of_its_own("bare"),
        }

    return Bench(
        "collector",
        "1/s (1 / longest pause)",
        "Python's own settings",
        "a process that loaded nothing",
        ("ccxt", "scikit-learn"),
        arena,
        lambda: 0,
    )


if __name__ == "__main__":
    print(work(sys.argv[1]))
