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
from ares.clock import MINUTE_NS
from ares.config.settings import DatabaseConfig
from ares.lake.columns import ArrowTable, Floats, Ints, arrow_of, read_columns
from ares.store import load_queries
from ares.store.export import ExportParam, Number

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
            lengths = [len(part.ts_ns) for part in parts]
            matrix = np.full((sum(lengths), len(wanted)), np.nan, order="F")
            blocks = np.split(matrix, np.cumsum(lengths[:-1])) if parts else []
            work = [
                (span, part, view, blocks[row][:, column])
                for row, part in enumerate(parts)
                for column, view in enumerate(wanted)
            ]
            for _ in readers.map(lambda each: self._fill(*each), work):
                pass
        return Frame(
            tuple(symbols),
            tuple(view.view for view in wanted),
            np.repeat(np.arange(len(symbols), dtype=np.int64), lengths),
            joined([part.ts_ns for part in parts]),
            joined([part.known_ns for part in parts]),
            matrix,
        )

    def _bars(self, symbol: str, span: Range) -> KnownBars:
        where = self._where(symbol, span)
        found = read_columns(self.database, QUERIES["known_bars"], where)
        uneven = read_columns(self.database, QUERIES["uneven_features"], where)
        keys = zip(uneven.texts("name"), uneven.integers("number").tolist(), strict=True)
        astray = (uneven.integers("astray") > 0).tolist()
        known = {(name or "", version): lost for (name, version), lost in zip(keys, astray, strict=True)}
        return KnownBars(symbol, found.moments("ts"), found.moments("known_at"), known)

    def _fill(self, span: Range, bars: KnownBars, view: Definition, column: Floats) -> None:
        """Put what is known of a feature into its column, which is NaN so far.

        First revisions come without their bars' times where there can be but one: bars of every minute, as many values,
        each of a minute, the first and the last where the bars' are. (A value has one first revision a time: that is a
        key of its table.)
        """
        key, where = (view.name, view.version), self._where(bars.symbol, span)
        where |= {"name": view.name, "version": Number(view.version)}
        first = 0
        if bars.unbroken and not bars.uneven.get(key, False) and self._spans(bars, where):
            found = read_columns(self.database, QUERIES["first_values"], where)
            if found.rows == len(bars.ts_ns):
                np.copyto(column, found.numbers("value"), where=found.moments("known_at") <= bars.known_ns)
                first = 1
        if first == 0 or key in bars.uneven:
            found = read_columns(self.database, QUERIES["known_values"], where | {"revision": Number(first)})
            put(column, bars, found.moments("ts"), found.moments("known_at"), found.numbers("value"))

    def _spans(self, bars: KnownBars, where: Mapping[str, ExportParam]) -> bool:
        """Whether the first and the last first revision stand at the first and the last bar."""
        ends = read_columns(self.database, QUERIES["first_values_ends"], where).moments("ts")
        return len(ends) > 0 and (ends[0], ends[-1]) == (bars.ts_ns[0], bars.ts_ns[-1])

    def _where(self, symbol: str, span: Range) -> dict[str, ExportParam]:
        return {"venue": self.venue, "symbol": symbol, "from": span.from_ns, "to": span.to_ns}


@dataclass(frozen=True, slots=True)
class KnownBars:
    """A symbol's bars in order, and which features are uneven there: corrected, or (True) with values of no minute."""

    symbol: str
    ts_ns: Ints
    known_ns: Ints
    uneven: Mapping[tuple[str, int], bool]

    @property
    def unbroken(self) -> bool:
        """Whether there is a bar of every minute from the first to the last."""
        return len(self.ts_ns) > 0 and bool(np.all(np.diff(self.ts_ns) == MINUTE_NS))


def put(column: Floats, bars: KnownBars, ts_ns: Ints, known_ns: Ints, values: Floats) -> None:
    """Put values at their bars, of several revisions the newest that was known when the bar was. Bars are in order."""
    if not len(bars.ts_ns):
        return
    order = np.lexsort((known_ns, ts_ns))
    ts_ns, known_ns, values = ts_ns[order], known_ns[order], values[order]
    at = np.minimum(np.searchsorted(bars.ts_ns, ts_ns), len(bars.ts_ns) - 1)
    good = (bars.ts_ns[at] == ts_ns) & (known_ns <= bars.known_ns[at])
    column[at[good]] = values[good]  # of equal bars the last one stays: the newest revision


def joined(parts: Sequence[Ints]) -> Ints:
    """Arrays one after the other."""
    return cast("Ints", np.concatenate(parts)) if parts else np.empty(0, dtype=np.int64)
