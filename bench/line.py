"""From a venue's line to values: our feed, ccxt.pro as its users call it, and bare picows with msgspec.

Every round is a process of its own, and the venue another. Nothing is stored. What ccxt.pro's loop never showed is told
as it happens: "lost" is ours.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contest import Bench, Run
from socket_to_row import SPAN_MS, venue_server

SCRIPT = Path(__file__).resolve().parent / "read_line.py"
MESSAGES, MESSAGES_OF_CCXT = 500_000, 100_000


def reading(way: str, messages: int, lost: list[int]) -> Run:
    """A round: trades seen in a second of CPU."""

    def run() -> float:
        span = str(int(time.time() * 1_000) - SPAN_MS), str(SPAN_MS)
        with venue_server(messages, 0, span) as (port, _):
            command = [sys.executable, str(SCRIPT), way, str(port), str(messages)]
            said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
        told = json.loads(said.splitlines()[-1])
        lost.append(messages - told["seen"])
        per_million = 1e6 * told["cpu_s"] / messages
        print(f"  {way}: {per_million:.2f} CPU-s per million messages, {told['seen']:,} of {messages:,} seen")
        return messages / float(told["cpu_s"])

    return run


def bench() -> Bench:
    """Messages of a burst per CPU second."""
    ours: list[int] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        yield {
            "ares": reading("ares", MESSAGES, ours),
            "peer": reading("ccxt", MESSAGES_OF_CCXT, []),
            "limit": reading("bare", MESSAGES, []),
        }

    return Bench(
        "line",
        "messages/CPU-s",
        "a loop over ccxt.pro's watch_trades",
        "bare picows and msgspec",
        ("picows", "msgspec", "ccxt"),
        arena,
        lambda: sum(ours),
    )
