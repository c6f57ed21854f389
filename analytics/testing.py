"""A small made-up market, for tests of whoever reads bars: rows as ingest would have written them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from ares.clock import HOUR_NS, MINUTE_NS, NANOS_PER_SECOND, floor_ns
from ares.model.market import Bar, Book, Funding, Quote, Side, Trade
from ares.model.row import Row, Storable, UtcNs

SYMBOLS = ("BTC/USDT", "ETH/USDT")
TRADES_A_MINUTE = 4


@dataclass(slots=True)
class SyntheticMarket:
    """A random walk per symbol; the same seed gives the same market. Trade ids count up without holes."""

    venue: str
    seed: int = 1
    symbols: Sequence[str] = SYMBOLS
    drift: float = 0.0
    prices: dict[str, float] = field(default_factory=dict)
    seqs: dict[str, int] = field(default_factory=dict)
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311 - a market, not a secret
        for symbol in self.symbols:
            self.prices[symbol] = 100.0
            self.seqs[symbol] = 0

    def candles(self, start_ns: int, minutes: int) -> list[Storable]:
        """The venue's own candles."""
        rows: list[Storable] = []
        for ts_ns in range(start_ns, start_ns + minutes * MINUTE_NS, MINUTE_NS):
            for symbol in self.symbols:
                opened, closed = self.prices[symbol], self._step(symbol)
                volume = self.rng.uniform(1.0, 9.0)
                high, low = max(opened, closed) * 1.0001, min(opened, closed) * 0.9999
                trades, bought = self.rng.randint(1, 40), volume * self.rng.random()
                values = (opened, high, low, closed, volume, volume * closed)
                rows.append(Bar(self.venue, symbol, ts_ns, *values, trades, bought, ts_ns + MINUTE_NS))
        return rows

    def trades(self, start_ns: int, minutes: int) -> list[Storable]:
        """Trades spread over every minute."""
        rows: list[Storable] = []
        step_ns = MINUTE_NS // TRADES_A_MINUTE
        for ts_ns in range(start_ns, start_ns + minutes * MINUTE_NS, step_ns):
            rows += [self.trade(symbol, ts_ns + self.rng.randrange(step_ns)) for symbol in self.symbols]
        return rows

    def trade(self, symbol: str, ts_ns: int) -> Trade:
        """The next trade of a symbol, at a moment."""
        self.seqs[symbol] += 1
        seq = self.seqs[symbol]
        side: Side = "buy" if self.rng.random() < 0.5 else "sell"
        price, amount = self._step(symbol), self.rng.uniform(0.1, 2.0)
        return Trade(self.venue, symbol, str(seq), seq, side, price, amount, ts_ns, ts_ns, "stream")

    def books(self, start_ns: int, minutes: int) -> list[Storable]:
        """A quote and a book at some moment of every minute."""
        rows: list[Storable] = []
        for ts_ns in range(start_ns, start_ns + minutes * MINUTE_NS, MINUTE_NS):
            for symbol in self.symbols:
                at_ns, mid, half = (
                    ts_ns + self.rng.randrange(MINUTE_NS),
                    self.prices[symbol],
                    self.rng.uniform(0.01, 0.1),
                )
                sizes = [self.rng.uniform(0.1, 5.0) for _ in range(2)]
                number, bid, ask = at_ns // 1_000, mid - half, mid + half
                quote = (number, bid, sizes[0], ask, sizes[1], at_ns, at_ns)
                rows.append(Quote(self.venue, symbol, *quote, "receipt"))
                levels = (((bid, sizes[0]),), ((ask, sizes[1]),))
                rows.append(Book(self.venue, symbol, number, *levels, at_ns, at_ns, "venue"))
        return rows

    def funding(self, start_ns: int, minutes: int) -> list[Storable]:
        """A predicted rate in every minute, as if the symbols were perpetuals."""
        rows: list[Storable] = []
        for ts_ns in range(start_ns, start_ns + minutes * MINUTE_NS, MINUTE_NS):
            for symbol in self.symbols:
                at_ns, index = ts_ns + self.rng.randrange(MINUTE_NS), self.prices[symbol]
                rate, mark = self.rng.gauss(1e-4, 2e-4), index * math.exp(self.rng.gauss(0.0, 1e-4))
                due_ns = floor_ns(ts_ns, 8 * HOUR_NS) + 8 * HOUR_NS
                rows.append(Funding(self.venue, symbol, "predicted", rate, mark, index, due_ns, at_ns, at_ns))
        return rows

    def marks(self, now_ns: int, watermark_ns: int, channels: Sequence[str] = ("trades", "backfill")) -> list[Row]:
        """What ingest publishes: up to where every symbol is complete."""
        return [
            Row(
                "ingest_watermarks",
                now_ns,
                {"venue": self.venue, "symbol": symbol, "channel": channel},
                {"watermark": UtcNs(watermark_ns), "last_seq": self.seqs[symbol], "acked_rows": self.seqs[symbol]},
            )
            for symbol in self.symbols
            for channel in channels
        ]

    def gap(self, symbol: str, started_ns: int, ended_ns: int, status: str, revision: int) -> Row:
        """A revision of the one gap of a symbol; written a second after it ended, and one more for every revision."""
        return Row(
            "gaps",
            ended_ns + (1 + revision) * NANOS_PER_SECOND,
            {"venue": self.venue, "symbol": symbol, "channel": "trades", "status": status, "cause": "disconnect"},
            {
                "gap_id": f"{self.venue}-{symbol}",
                "revision": revision,
                "started_at": UtcNs(started_ns),
                "ended_at": UtcNs(ended_ns),
            },
        )

    def _step(self, symbol: str) -> float:
        self.prices[symbol] *= math.exp(self.rng.gauss(self.drift, 1e-3))
        return self.prices[symbol]
