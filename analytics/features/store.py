"""Frozen features as columns: for each bar what was known of it when the bar was first known, nothing that came later.

store = FeatureStore(config.database, "binance")
frame = store.training_frame(["rsi_14_v1", "spread_v1"], ["BTC/USDT"], Range(from_ns, to_ns))
frame.matrix        # bars x features; NaN is NULL, or not known in time
frame.arrow.to_pandas()
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np

from analytics.catalog import Catalog, Definition, catalog_of, one_of
from ares.config.settings import DatabaseConfig
from ares.lake.columns import ArrowTable, Floats, Ints, arrow_of, read_columns
from ares.store import load_queries

QUERIES = load_queries("analytics", "queries/features.sql")
READERS = 2
"""Statements at once: QuestDB answers one while another is put into arrays."""


class Range(NamedTuple):
    """From which bar on to which (excluded), by their start, UTC ns."""

    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Frame:
    """A row a bar: symbol by symbol, each in order of time. `matrix` has a column a feature, NaN where no value."""

    symbols: tuple[str, ...]
    features: tuple[str, ...]
    codes: Ints
    ts_ns: Ints
    known_ns: Ints
    matrix: Floats

    @property
    def rows(self) -> int:
        """How many bars there are."""
        return len(self.ts_ns)

    @property
    def arrow(self) -> ArrowTable:
        """The same as a table: ts, symbol, known_at, then the features."""
        values = {name: cast("Floats", self.matrix[:, column]) for column, name in enumerate(self.features)}
        return arrow_of({"ts": self.ts_ns, "known_at": self.known_ns}, {"symbol": (self.codes, self.symbols)}, values)


@dataclass(frozen=True, slots=True)
class FeatureStore:
    """What is frozen of one venue. Blocking: call it in a thread. Raises `StoreUnavailable`, `StoreRejected`."""

    database: DatabaseConfig
    venue: str
    catalog: Catalog | None = None

    def training_frame(self, features: Sequence[str], symbols: Sequence[str], span: Range) -> Frame:
        """Of every bar of a span the newest revision of each feature that was known when the bar was first known.

        Raises `UnknownName` for a feature that is not deployed.
        """
        known = (self.catalog or catalog_of()).features
        wanted = [one_of("feature", name, known) for name in features]
        with ThreadPoolExecutor(READERS) as readers:
            parts = list(readers.map(lambda symbol: self._bars(symbol, span), symbols))
            blocks = [np.full((len(ts), len(wanted)), np.nan, order="F") for ts, _ in parts]
            work = [
                (symbol, view, parts[row], blocks[row][:, column])
                for row, symbol in enumerate(symbols)
                for column, view in enumerate(wanted)
            ]
            for _ in readers.map(lambda each: self._fill(span, *each), work):
                pass
        lengths = [len(ts) for ts, _ in parts]
        return Frame(
            tuple(symbols),
            tuple(view.view for view in wanted),
            np.repeat(np.arange(len(symbols), dtype=np.int64), lengths),
            joined([ts for ts, _ in parts]),
            joined([known_at for _, known_at in parts]),
            np.concatenate(blocks) if blocks else np.empty((0, len(wanted))),
        )

    def _bars(self, symbol: str, span: Range) -> tuple[Ints, Ints]:
        found = read_columns(self.database, QUERIES["known_bars"], self._where(symbol, span))
        return found.moments("ts"), found.moments("known_at")

    def _fill(self, span: Range, symbol: str, view: Definition, bars: tuple[Ints, Ints], column: Floats) -> None:
        found = read_columns(self.database, QUERIES["known_values"], {**self._where(symbol, span), "name": view.name})
        mine = found.integers("number") == view.version
        parts = (found.moments("ts"), found.moments("known_at"), found.numbers("value"))
        put(column, bars, *(parts if mine.all() else (parts[0][mine], parts[1][mine], parts[2][mine])))

    def _where(self, symbol: str, span: Range) -> Mapping[str, str | int]:
        return {"venue": self.venue, "symbol": symbol, "from": span.from_ns, "to": span.to_ns}


def put(column: Floats, bars: tuple[Ints, Ints], ts_ns: Ints, known_ns: Ints, values: Floats) -> None:
    """Put values at their bars, of several revisions the newest that was known when the bar was. Bars are in order."""
    bar_ts, bar_known = bars
    if not len(bar_ts):
        return
    if np.any(np.diff(ts_ns) <= 0):
        order = np.lexsort((known_ns, ts_ns))
        ts_ns, known_ns, values = ts_ns[order], known_ns[order], values[order]
    if np.array_equal(ts_ns, bar_ts):
        column[:] = np.where(known_ns <= bar_known, values, np.nan)
        return
    at = np.minimum(np.searchsorted(bar_ts, ts_ns), len(bar_ts) - 1)
    good = (bar_ts[at] == ts_ns) & (known_ns <= bar_known[at])
    column[at[good]] = values[good]  # of equal bars the last one stays: the newest revision


def joined(parts: Sequence[Ints]) -> Ints:
    """Arrays one after the other."""
    return cast("Ints", np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
