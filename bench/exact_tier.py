"""A moving-average cross on one tape of trades: the exact tier, NautilusTrader, and a plain compiled loop.

Trades a second of processor time, the averages over every trade included: compiled here, in the strategy there. The
tape stays the same and the spans of the averages say how many orders there are; `ARES_BENCH_ORDERS=20000` adds the row
of most of them (minutes). "lost" counts orders by which both differ in number, and one more if their profits differ by
more than a hundredth (fees are taken from coins here, from cash there).

The last row is about growth: one order in some fifty trades, on a short tape and on a long one. "ares" is the rate on
the long one, "peer" ours on the short one: 1 is a cost per order that does not grow with the orders before it.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

import numpy as np
from contest import in_turns, ratio
from peer_environments import PEERS, environment
from screen_plain import plain

from ares.clock import MINUTE_NS, NANOS_PER_MILLI
from ares.config.trading import RiskConfig, StrategyConfig, TradingConfig
from ares.telemetry import configure_logging
from backtest.exact.drive import ExactRun, run_exact
from backtest.exact.settings import ExactSettings, Frictions, Latency
from backtest.fast.signals import ema_cross
from backtest.outcome import Floats, Ints, Tested
from backtest.tape import Bars, BarsAndSignals, Flags, Instrument, Signals, Trades

TRADES = 1_000_000
SPANS = {200: (2_000, 5_000), 2_000: (195, 490), 20_000: (20, 50)}
"""About so many orders on the whole tape, by which averages."""
TRADES_PER_ORDER = 50
ORDERS_MAX = int(os.environ.get("ARES_BENCH_ORDERS", "2000"))
FEW, DENSE = 200, (20, 50)
SIZE, FEE, CASH = Decimal(5_000), Decimal("0.0007"), Decimal(1_000_000)
SYMBOL, STRATEGY, VENUE = "BTC/USDT", "cross", "sim"
START_NS = 1_704_067_200_000_000_000
APART_MS = (1_000, 2_000)
"""Trades lie so far apart: more than a cycle, so that no two orders fall into one."""
PROFIT_OFF_MAX = 0.01
BIG = Decimal(10**9)
LIMITS = RiskConfig(
    order_notional_quote_max=BIG,
    position_quote_max=BIG,
    gross_exposure_quote_max=BIG,
    daily_loss_quote_max=BIG,
    duplicate_s=0.5,
)
"""All rules are asked, and none has anything against it."""


@dataclass(frozen=True)
class Tape:
    """Trades of a wandering market, by a seed."""

    ts: Ints
    price: Floats
    amount: Floats
    sold: Flags

    @classmethod
    def made(cls) -> Tape:
        chance = np.random.default_rng(42)
        price = np.round(50_000 * np.exp(np.cumsum(chance.standard_normal(TRADES) * 2e-5)), 2)
        ts = START_NS + np.cumsum(chance.integers(*APART_MS, TRADES)) * NANOS_PER_MILLI
        return cls(ts, price, np.round(chance.uniform(0.001, 1, TRADES), 5), chance.random(TRADES) < 0.5)

    def first(self, count: int) -> Tape:
        return Tape(self.ts[:count], self.price[:count], self.amount[:count], self.sold[:count])

    def bars(self) -> Bars:
        """Its minutes: what the account was worth is told at their ends."""
        minute = self.ts // MINUTE_NS
        first = np.flatnonzero(np.diff(minute, prepend=-1))
        last = np.append(first[1:], len(minute)) - 1
        high, low = np.maximum.reduceat(self.price, first), np.minimum.reduceat(self.price, first)
        volume = np.add.reduceat(self.amount, first)
        return Bars(minute[first] * MINUTE_NS, self.price[first], high, low, self.price[last], volume)


@dataclass(frozen=True)
class Played:
    """What a run took, in seconds, and what came of it."""

    cpu_s: float
    wall_s: float
    orders: int
    profit: float


def play(tape: Tape, spans: tuple[int, int]) -> Played:
    """Our run: a signal where the averages cross, known with the trade by which they do."""
    bars, wall_s, cpu_s = tape.bars(), time.perf_counter(), time.process_time()
    wanted = ema_cross(tape.price.reshape(-1, 1), *spans)[:, 0]
    crosses = np.flatnonzero(np.diff(wanted, prepend=0.0))
    said = Signals(tape.ts[crosses], tape.ts[crosses], wanted[crosses], wanted[crosses])
    trades = Trades(tape.ts, tape.price, tape.amount, tape.sold)
    end_ns = int(bars.ends[-1])
    stretch = BarsAndSignals(START_NS, end_ns, {SYMBOL: bars}, {SYMBOL: said}, {SYMBOL: trades})
    ran = _run(stretch)
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return Played(cpu_s, wall_s, len(ran.outcome.fills), float(ran.outcome.equity[-1]) - float(CASH))


def _run(stretch: BarsAndSignals) -> ExactRun:
    strategy = StrategyConfig(name=STRATEGY, max_position_quote=SIZE)
    trading = TradingConfig(strategies=(strategy,), risk=LIMITS, cycle_s=1.0)
    settings = ExactSettings(trading, CASH, Latency(0.0, 0.0, 0.0), Frictions(half_spread_bps=Decimal(0)))
    tested = Tested(STRATEGY, 1, VENUE, (SYMBOL,), stretch.from_ns, stretch.to_ns, CASH, "", "")
    pair = Instrument(SYMBOL, Decimal("0.01"), Decimal("0.00001"), Decimal(5), FEE, FEE)
    return run_exact(settings, tested, {SYMBOL: pair}, [stretch])


Ask = Callable[[int, tuple[int, int]], Played]


@contextmanager
def nautilus(tape: Tape) -> Iterator[Ask]:
    """NautilusTrader's process with the tape loaded, ready to be asked for runs over its first trades."""
    python = environment("nautilus", "3.13")
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tape.npz"
        np.savez(path, ts=tape.ts, price=tape.price, amount=tape.amount, sold=tape.sold)
        command = [str(python), str(PEERS / "play_nautilus.py"), str(path), str(SIZE), str(FEE), str(CASH)]
        with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            if not process.stdout.readline():
                raise SystemExit("play_nautilus.py ended before it was ready")

            def ask(count: int, spans: tuple[int, int]) -> Played:
                assert process.stdin
                assert process.stdout
                process.stdin.write(f"{count} {spans[0]} {spans[1]}\n")
                process.stdin.flush()
                said = json.loads(process.stdout.readline())
                return Played(said["s"], said["wall_s"], said["orders"], said["profit"])

            try:
                yield ask
            finally:
                process.stdin.close()


def results(rounds: int) -> list[dict[str, object]]:
    """A row for each number of orders, and one on growth."""
    configure_logging("bench", "error", json=False)
    tape = Tape.made()
    with nautilus(tape) as ask:
        found = [_compared(tape, ask, orders, rounds) for orders in SPANS if orders <= ORDERS_MAX]
    return [*found, _growth(tape, rounds)]


def _compared(tape: Tape, ask: Ask, orders: int, rounds: int) -> dict[str, object]:
    spans = SPANS[orders]

    def bare() -> Played:
        began = time.process_time()
        plain(tape.price, float(FEE))
        return Played(time.process_time() - began, 0.0, 0, 0.0)

    runs = in_turns(
        {"ares": lambda: play(tape, spans), "peer": lambda: ask(TRADES, spans), "limit": bare},
        1 if orders > min(SPANS) * 10 else rounds,
    )
    ours, theirs = runs["ares"][-1], runs["peer"][-1]
    off = abs(ours.profit - theirs.profit) > PROFIT_OFF_MAX * abs(theirs.profit)
    row = _row(f"exact_tier {orders}", {who: [TRADES / run.cpu_s for run in each] for who, each in runs.items()})
    return row | {
        "peer_name": "NautilusTrader",
        "limit_name": "a plain compiled loop",
        "lost": abs(ours.orders - theirs.orders) + off,
        "orders": ours.orders,
        "ares_wall": round(TRADES / median(run.wall_s for run in runs["ares"])),
        "peer_wall": round(TRADES / median(run.wall_s for run in runs["peer"])),
        "ares_cpu_ms_per_order": round(1_000 * median(run.cpu_s for run in runs["ares"]) / ours.orders, 3),
        "peer_cpu_ms_per_order": round(1_000 * median(run.cpu_s for run in runs["peer"]) / theirs.orders, 3),
    }


def _growth(tape: Tape, rounds: int) -> dict[str, object]:
    """As many orders in one run as in several short ones."""
    most = max(orders for orders in SPANS if orders <= ORDERS_MAX)
    long, short = tape.first(most * TRADES_PER_ORDER), tape.first(FEW * TRADES_PER_ORDER)
    times = min(most // FEW, 10)

    def at_few() -> float:
        runs = [play(short, DENSE) for _ in range(times)]
        return sum(run.orders for run in runs) / sum(run.cpu_s for run in runs)

    def at_most() -> float:
        run = play(long, DENSE)
        return run.orders / run.cpu_s

    rates = in_turns({"ares": at_most, "peer": at_few}, rounds)
    row = _row("exact_tier growth", rates)
    return row | {"unit": "orders/s of processor time", "peer_name": f"itself at {FEW} orders", "orders": most}


def _row(name: str, rates: Mapping[str, list[float]]) -> dict[str, object]:
    ours, peer, limit = rates["ares"], rates["peer"], rates.get("limit")
    return {
        "name": name,
        "unit": "trades/s of processor time",
        "ares": round(median(ours)),
        "peer": round(median(peer)),
        "limit": None if limit is None else round(median(limit)),
        "limit_name": None,
        "ratio_vs_peer": ratio(ours, peer),
        "ratio_vs_limit": None if limit is None else ratio(ours, limit),
        "lost": 0,
        "n": len(ours),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Of the peer."""
    code = "import nautilus_trader as n; print(n.__version__)"
    done = subprocess.run([environment("nautilus", "3.13"), "-c", code], check=True, capture_output=True, text=True)
    return {"nautilus_trader": cast("str", done.stdout.strip())}
