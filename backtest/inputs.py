"""What a backtest reads, from QuestDB, a day at a time: memory is independent of how long the range is.

Bars as they were frozen (the newest revision: what the market did), signals with all their revisions, each from when it
was known (what the trader could see), and trades where they are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from ares.clock import DAY_NS, floor_ns
from ares.config.settings import DatabaseConfig
from ares.errors import UnknownSymbol, UsageError
from ares.lake.columns import Columns, read_columns
from ares.store import load_queries
from backtest.tape import Bars, BarsAndSignals, Instrument, Quotes, Signals, Trades

__all__ = ["Bars", "BarsAndSignals", "Fees", "Inputs", "Instrument", "Scope", "Signals", "Trades"]

QUERIES = load_queries("backtest", "queries/inputs.sql")
PRICES = ("open", "high", "low", "close", "volume")
QUOTED = ("bid", "ask", "bid_amount", "ask_amount")
Params = dict[str, str | int]
Progress = Callable[[int], None]
Array = np.ndarray[tuple[int, ...], np.dtype[np.int64 | np.float64 | np.bool_]]


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose signals, of which symbols, from `from_ns` up to, not including, `to_ns`, UTC."""

    venue: str
    strategy: str
    version: int
    symbols: tuple[str, ...]
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Fees:
    """Shares of what is received, for an instrument whose row does not say."""

    maker: Decimal
    taker: Decimal


class Inputs:
    """Reads one scope, as often as it is asked to. Every method may raise `StoreError`."""

    def __init__(self, config: DatabaseConfig, scope: Scope, fees: Fees) -> None:
        self._config = config
        self._scope = scope
        self._fees = fees

    def instruments(self) -> dict[str, Instrument]:
        """The venue's grid of each symbol, as it is now. Raises `UnknownSymbol`."""
        columns = self._read("instruments", {"venue": self._scope.venue})
        names = [str(name) for name in columns.texts("symbol")]
        found = {name: self._instrument(columns, row) for row, name in enumerate(names)}
        for symbol in self._scope.symbols:
            if symbol not in found:
                raise UnknownSymbol(self._scope.venue, symbol, sorted(found))
        return {symbol: found[symbol] for symbol in self._scope.symbols}

    def stretches(self) -> Iterator[BarsAndSignals]:
        """The range day by day (UTC)."""
        start_ns = self._scope.from_ns
        while start_ns < self._scope.to_ns:
            end_ns = min(floor_ns(start_ns, DAY_NS) + DAY_NS, self._scope.to_ns)
            yield self._stretch(start_ns, end_ns)
            start_ns = end_ns

    def data_hash(self, progress: Progress = lambda _: None) -> str:
        """SHA-256 over all rows in their order. Raises `UsageError` where there are no bars, or no signals."""
        digest, bars, signals = hashlib.sha256(), 0, 0
        for instrument in self.instruments().values():
            digest.update(repr(instrument).encode())
        for stretch in self.stretches():
            bars += sum(len(each.ts) for each in stretch.bars.values())
            signals += sum(len(each.ts) for each in stretch.signals.values())
            for array in arrays_of(stretch):
                digest.update(np.ascontiguousarray(array).tobytes())
            progress(stretch.to_ns)
        scope = self._scope
        if not bars:
            where = f"--from, --to: {scope.venue} has no frozen bars of {', '.join(scope.symbols)} there"
            raise UsageError(
                f"{where}. Fetch them by `ares ingest backfill`, and let the analytics service freeze them"
            )
        if not signals:
            what = f"strategy = {scope.strategy!r}: no signal of it became known between --from and --to"
            raise UsageError(f"{what}. The analytics service freezes them; `ares signals latest` shows the newest")
        return digest.hexdigest()

    def _stretch(self, start_ns: int, end_ns: int) -> BarsAndSignals:
        symbols = self._scope.symbols
        return BarsAndSignals(
            start_ns,
            end_ns,
            {symbol: self._bars(self._params(symbol, start_ns, end_ns)) for symbol in symbols},
            {symbol: self._signals(self._params(symbol, start_ns, end_ns)) for symbol in symbols},
            {symbol: self._trades(self._params(symbol, start_ns, end_ns)) for symbol in symbols},
            {symbol: self._quotes(self._params(symbol, start_ns, end_ns)) for symbol in symbols},
        )

    def _bars(self, params: Params) -> Bars:
        columns = self._read("bars", params)
        return Bars(columns.moments("ts"), *(columns.numbers(name) for name in PRICES))

    def _signals(self, params: Params) -> Signals:
        scope = self._scope
        # A signal that became known a day late is nothing that anybody traded by.
        since: Params = {
            "since": int(params["from"]) - DAY_NS,
            "strategy": scope.strategy,
            "version": str(scope.version),
        }
        columns = self._read("signals", params | since)
        ts, known_at = columns.moments("ts"), columns.moments("known_at")
        return Signals(ts, known_at, columns.numbers("target"), columns.numbers("confidence"))

    def _trades(self, params: Params) -> Trades:
        columns = self._read("trades", params)
        ts, sold = columns.moments("ts"), columns.integers("sold") == 1
        return Trades(ts, columns.numbers("price"), columns.numbers("amount"), sold)

    def _quotes(self, params: Params) -> Quotes:
        columns = self._read("quotes", params)
        return Quotes(columns.moments("received_at"), *(columns.numbers(name) for name in QUOTED))

    def _params(self, symbol: str, start_ns: int, end_ns: int) -> Params:
        return {"venue": self._scope.venue, "symbol": symbol, "from": start_ns, "to": end_ns}

    def _read(self, query: str, params: Mapping[str, str | int]) -> Columns:
        return read_columns(self._config, QUERIES[query], params)

    def _instrument(self, columns: Columns, row: int) -> Instrument:
        def money(name: str) -> Decimal | None:
            value = columns.texts(name)[row]
            return None if value is None else Decimal(value).normalize() + 0  # 10, not 1E+1

        maker, taker = money("maker_fee"), money("taker_fee")
        return Instrument(
            str(columns.texts("symbol")[row]),
            price_tick=money("price_tick") or Decimal(0),
            amount_step=money("amount_step") or Decimal(0),
            cost_min=money("cost_min") or Decimal(0),
            maker_fee=self._fees.maker if maker is None else maker,
            taker_fee=self._fees.taker if taker is None else taker,
        )


def arrays_of(stretch: BarsAndSignals) -> Iterator[Array]:
    """All numbers of a stretch, always in the same order; how many there are of each kind goes before them."""
    yield np.array([stretch.from_ns, stretch.to_ns])
    for symbol in sorted(stretch.bars):
        bars, signals = stretch.bars[symbol], stretch.signals[symbol]
        trades, quotes = stretch.trades.get(symbol, Trades()), stretch.quotes.get(symbol, Quotes())
        yield np.array([len(bars.ts), len(signals.ts), len(trades.ts), len(quotes.ts)])
        yield from (bars.ts, bars.open, bars.high, bars.low, bars.close, bars.volume)
        yield from (signals.ts, signals.known_at, signals.target, signals.confidence)
        yield from (trades.ts, trades.price, trades.amount, trades.sold)
        yield from (quotes.ts, quotes.bid, quotes.ask, quotes.bid_amount, quotes.ask_amount)
