"""A moving-average cross over a million bars with fees: the fast tier, vectorbt, and a plain compiled loop.

Warm: processor time of a run, the signal included, in processes that ran before. Cold: processor time of a process from
its start to its result, what is imported and compiled included; code that was compiled before is kept by all three.
"lost" counts orders by which the fast tier and vectorbt differ in number, and one more if their returns differ by a
thousandth (fees are taken from coins here, from cash there).
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import screen_ares
from contest import Bench, Run
from peer_environments import PEERS, environment
from screen_plain import plain

from backtest.outcome import Floats

BARS = 1_000_000
SIZE, FEE = Decimal(5_000), Decimal("0.0007")
HERE = Path(__file__).resolve().parent
RETURN_OFF_MAX = 1e-3
VECTORBT, PLAIN = "vectorbt", "a plain compiled loop"


def made() -> tuple[Floats, Floats]:
    """Opens and closes of a wandering market, by a seed."""
    chance = np.random.default_rng(42)
    close = np.round(100 * np.exp(np.cumsum(chance.standard_normal(BARS) * 0.0007)), 4)
    return np.concatenate((close[:1], close[:-1])), close


@contextmanager
def bars() -> Iterator[tuple[Floats, Floats, Sequence[str]]]:
    """The series, and what a process is told of it: the file, the size, the fee."""
    opened, close = made()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bars.npz"
        np.savez(path, open=opened, close=close)
        yield opened, close, (str(path), str(SIZE), str(FEE))


@dataclass(frozen=True)
class Found:
    """Orders and gain of a run, a share of the start."""

    orders: int = 0
    gained: float = 0.0

    def differ(self, other: Found) -> int:
        return abs(self.orders - other.orders) + (abs(self.gained - other.gained) > RETURN_OFF_MAX)


@dataclass
class Arena:
    """One series for all three."""

    opened: Floats
    close: Floats
    peer: subprocess.Popen[str]
    ours: Found = Found()
    theirs: Found = Found()

    def ares(self) -> float:
        began = time.process_time()
        run = screen_ares.screened(self.opened, self.close, screen_ares.settings(SIZE, FEE))
        gained = screen_ares.gained(run)
        spent = time.process_time() - began
        self.ours = Found(len(run.bar), gained)
        return BARS / spent

    def vectorbt(self) -> float:
        assert self.peer.stdin is not None
        assert self.peer.stdout is not None
        self.peer.stdin.write("go\n")
        self.peer.stdin.flush()
        said = json.loads(self.peer.stdout.readline())
        self.theirs = Found(said["orders"], said["gained"])
        return float(BARS / said["s"])

    def plain(self) -> float:
        began = time.process_time()
        plain(self.close, float(FEE))
        return BARS / (time.process_time() - began)

    def differ(self) -> int:
        return self.ours.differ(self.theirs)


def bench() -> Bench:
    """Bars per second of processor time."""
    arenas: list[Arena] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        with bars() as (opened, close, told):
            command = [str(environment("vectorbt")), str(PEERS / "screen_vectorbt.py"), *told]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            with subprocess.Popen(command, text=True, **pipes) as peer:
                assert peer.stdout is not None
                peer.stdout.readline()
                current = Arena(opened, close, peer)
                arenas.append(current)
                yield {"ares": current.ares, "peer": current.vectorbt, "limit": current.plain}
                assert peer.stdin is not None
                peer.stdin.close()

    return Bench(
        "fast_tier",
        "bars/s of processor time",
        VECTORBT,
        PLAIN,
        ("numba", "numpy"),
        arena,
        lambda: arenas[-1].differ(),  # noqa: PLW0108 - there is no arena yet
    )


def cold() -> Bench:
    """Bars per second of processor time of whole processes."""
    found: dict[str, Found] = {}

    def whole(who: str, command: Sequence[str]) -> Run:
        def run() -> float:
            before, wall_s = _children_s(), time.perf_counter()
            said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            spent_s, wall_s = _children_s() - before, time.perf_counter() - wall_s
            answer = json.loads(said.splitlines()[-1])
            found[who] = Found(answer["orders"], answer["gained"])
            print(f"  {who}: {spent_s:.2f} CPU-s, {wall_s:.2f} s from start to result")
            return BARS / spent_s

        return run

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        with bars() as (_, _, told):
            theirs = [str(environment("vectorbt")), str(PEERS / "screen_vectorbt.py"), *told, "once"]
            yield {
                "ares": whole("ares", [sys.executable, str(HERE / "screen_ares.py"), *told]),
                "peer": whole(VECTORBT, theirs),
                "limit": whole(PLAIN, [sys.executable, str(HERE / "screen_plain.py"), *told]),
            }

    return Bench(
        "fast_tier_cold",
        "bars/s of processor time, from a process's start to its result",
        VECTORBT,
        PLAIN,
        ("numba", "numpy"),
        arena,
        lambda: found["ares"].differ(found[VECTORBT]),
    )


def _children_s() -> float:
    """Processor time of all that was started and has ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
