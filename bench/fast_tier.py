"""A moving-average cross over a million bars with fees: the fast tier, vectorbt, and a plain compiled loop.

Processor time, the signal included. "lost" counts orders by which the fast tier and vectorbt differ in number, and one
more if their returns differ by a thousandth (fees are taken from coins here, from cash there).
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numba
import numpy as np
from contest import Bench, Run
from peer_environments import PEERS, environment

from ares.clock import MINUTE_NS
from backtest.fast.screen import Series, screen
from backtest.fast.settings import Costs, FastSettings
from backtest.fast.signals import ema_cross
from backtest.outcome import Floats
from trader.portfolio.sizing import Grid
from trader.risk import Limits

BARS = 1_000_000
SIZE, FEE = Decimal(5_000), Decimal("0.0007")
SCREEN = PEERS / "screen_vectorbt.py"
RETURN_OFF_MAX = 1e-3
BIG = Decimal(10**9)
LIMITS = Limits(BIG, BIG, BIG, BIG, Decimal("0.9"), Decimal(180), Decimal(10), Decimal(60))
SETTINGS = FastSettings(
    {"BTC/USDT": Grid(Decimal("0.0001"), Decimal("0.00000001"), Decimal(0))},
    SIZE,
    LIMITS,
    start_quote=Decimal(1_000_000),
    rebalance_share_min=Decimal("0.999"),
    slippage_max=Decimal("0.5"),
    costs=Costs(FEE),
)


@numba.njit
def plain(close: Floats, fee: float) -> tuple[float, int]:
    """As little as a backtest can be: no lots, no limits, no worth by bar."""
    quick = slow = close[0]
    held, cash, orders, before = 0.0, 1.0, 0, 0
    for price in close:
        quick += (price - quick) * 2 / 21
        slow += (price - slow) * 2 / 51
        now = 1 if quick > slow else -1
        if now != before:
            if now == 1 and held == 0.0:
                held, cash, orders = cash / price / (1 + fee), 0.0, orders + 1
            elif now == -1 and held > 0:
                cash, held, orders = held * price * (1 - fee), 0.0, orders + 1
        before = now
    return cash + held * close[-1], orders


def made() -> tuple[Floats, Floats]:
    """Opens and closes of a wandering market, by a seed."""
    chance = np.random.default_rng(42)
    close = np.round(100 * np.exp(np.cumsum(chance.standard_normal(BARS) * 0.0007)), 4)
    return np.concatenate((close[:1], close[:-1])), close


@dataclass
class Arena:
    """One series for all three."""

    opened: Floats
    close: Floats
    peer: subprocess.Popen[str]
    ours: tuple[int, float] = (0, 0.0)
    theirs: tuple[int, float] = (0, 0.0)

    def ares(self) -> float:
        column, opened = self.close.reshape(-1, 1), self.opened.reshape(-1, 1)
        ts = 1_672_531_200_000_000_000 + np.arange(BARS, dtype=np.int64) * MINUTE_NS
        began = time.process_time()
        series = Series(("BTC/USDT",), MINUTE_NS, ts, opened, column, column, column, ema_cross(column, 20, 50))
        run = screen(series, SETTINGS)
        gained = float(run.equity[-1]) / 1_000_000 - 1
        spent = time.process_time() - began
        self.ours = (len(run.bar), gained)
        return BARS / spent

    def vectorbt(self) -> float:
        assert self.peer.stdin is not None
        assert self.peer.stdout is not None
        self.peer.stdin.write("go\n")
        self.peer.stdin.flush()
        said = json.loads(self.peer.stdout.readline())
        self.theirs = (said["orders"], said["gained"])
        return float(BARS / said["s"])

    def plain(self) -> float:
        began = time.process_time()
        plain(self.close, float(FEE))
        return BARS / (time.process_time() - began)

    def differ(self) -> int:
        return abs(self.ours[0] - self.theirs[0]) + (abs(self.ours[1] - self.theirs[1]) > RETURN_OFF_MAX)


def bench() -> Bench:
    """Bars per second of processor time."""
    arenas: list[Arena] = []

    @contextmanager
    def arena() -> Iterator[Mapping[str, Run]]:
        opened, close = made()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bars.npz"
            np.savez(path, open=opened, close=close)
            command = [str(environment("vectorbt")), str(SCREEN), str(path), str(SIZE), str(FEE)]
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
        "vectorbt",
        "a plain compiled loop",
        ("numba", "numpy"),
        arena,
        lambda: arenas[-1].differ(),  # noqa: PLW0108 - there is no arena yet
    )
