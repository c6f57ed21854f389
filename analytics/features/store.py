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
from ares.store.export import ExportParam, Names, Number, Places

QUERIES = load_queries("analytics", "queries/features.sql")
READERS = 2
"""Statements at once: QuestDB answers one while another is put into arrays."""
NAMES_AT_ONCE = 8
"""QuestDB compiles a condition with a list of so many; with a longer one a statement takes twice as long."""
ROWS_AT_ONCE = 2_000_000
"""About as many values one statement asks for: that is what memory holds beside the frame."""


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
        wanted = list({view.view: view for view in (one_of("feature", name, known) for name in features)}.values())
        symbols = tuple(dict.fromkeys(symbols))
        bars = self._bars(symbols, span)
        matrix = np.full((len(bars.ts_ns), len(wanted)), np.nan, order="F")
        if len(bars.ts_ns):
            self._fill(matrix, bars, statements_of(symbols, wanted))
        names = tuple(view.view for view in wanted)
        return Frame(symbols, names, bars.codes, bars.ts_ns, bars.known_ns, matrix)

    def _bars(self, symbols: Sequence[str], span: Range) -> KnownBars:
        if not symbols:
            return KnownBars.of(0, *(np.empty(0, dtype=np.int64) for _ in range(3)))
        where = self._where({symbol: code for code, symbol in enumerate(symbols)}, span)
        found = read_columns(self.database, QUERIES["known_bars"], where)
        return KnownBars.of(len(symbols), found.integers("code"), found.moments("ts"), found.moments("known_at"))

    def _fill(self, matrix: Floats, bars: KnownBars, asked: Sequence[Asked]) -> None:
        """Put in what was known first, many values at once, and then what was corrected, of which there is little."""
        pieces = [(each, span) for each in asked for span in bars.spans(ROWS_AT_ONCE // each.values_a_minute)]

        def first(piece: tuple[Asked, Range]) -> None:
            put(matrix, bars, self._values("first_values", *piece))

        def corrected(each: Asked) -> None:
            put(matrix, bars, self._values("corrected_values", each, bars.span).by_knowledge())

        with ThreadPoolExecutor(READERS) as readers:  # no two of them put values at the same place
            for _ in readers.map(first, pieces):
                pass
            for _ in readers.map(corrected, asked):
                pass

    def _values(self, query: str, asked: Asked, span: Range) -> Values:
        where = self._where(asked.symbols, span) | {
            "names": Names(tuple(asked.columns)),
            "columns": Places(asked.columns),
            "version": Number(asked.version),
        }
        found = read_columns(self.database, QUERIES[query], where)
        return Values(
            found.integers("code"),
            found.integers("place"),
            found.moments("ts"),
            found.moments("known_at"),
            found.numbers("value"),
        )

    def _where(self, codes: Mapping[str, int], span: Range) -> dict[str, ExportParam]:
        where: dict[str, ExportParam] = {"venue": self.venue, "from": span.from_ns, "to": span.to_ns}
        return where | {"symbols": Names(tuple(codes)), "codes": Places(codes)}


@dataclass(frozen=True, slots=True)
class Asked:
    """Symbols by the number that each has, features by the column that each has in the frame; few, as one is asked."""

    symbols: Mapping[str, int]
    columns: Mapping[str, int]
    version: int

    @property
    def values_a_minute(self) -> int:
        """How many values a minute has, corrections aside."""
        return len(self.symbols) * len(self.columns)


def statements_of(symbols: Sequence[str], wanted: Sequence[Definition]) -> list[Asked]:
    """All of them with all of them, in as many statements as it takes."""
    codes = {symbol: code for code, symbol in enumerate(symbols)}
    found: list[Asked] = []
    for version in sorted({view.version for view in wanted}):
        columns = {view.name: column for column, view in enumerate(wanted) if view.version == version}
        found += [Asked(some, few, version) for few in few_of(columns) for some in few_of(codes)]
    return found


def few_of(numbers: Mapping[str, int]) -> list[Mapping[str, int]]:
    """The same in parts that one statement may ask for."""
    items = list(numbers.items())
    return [dict(items[first : first + NAMES_AT_ONCE]) for first in range(0, len(items), NAMES_AT_ONCE)]


@dataclass(frozen=True, slots=True)
class Values:
    """Values of features as they lie in the table: of which symbol, for which column, of which bar, known from when."""

    codes: Ints
    columns: Ints
    ts_ns: Ints
    known_ns: Ints
    numbers: Floats

    def by_knowledge(self) -> Values:
        """In the order in which they became known."""
        order = np.argsort(self.known_ns, kind="stable")
        codes, columns, ts_ns, known_ns = (
            cast("Ints", part[order]) for part in (self.codes, self.columns, self.ts_ns, self.known_ns)
        )
        return Values(codes, columns, ts_ns, known_ns, cast("Floats", self.numbers[order]))


@dataclass(frozen=True, slots=True)
class KnownBars:
    """Bars of whole minutes, symbol by symbol, each in order of time, and when each was first known."""

    codes: Ints
    ts_ns: Ints
    known_ns: Ints
    first_ns: int
    rows: Ints
    """Symbol x minute, from `first_ns` on: which bar that is, below 0 where there is none."""

    @classmethod
    def of(cls, symbols: int, codes: Ints, ts_ns: Ints, known_ns: Ints) -> KnownBars:
        """Put them in order; `codes` are below `symbols`, of which some may have no bar."""
        order = np.lexsort((ts_ns, codes))
        codes, ts_ns, known_ns = codes[order], ts_ns[order], known_ns[order]
        if not len(ts_ns):
            return cls(codes, ts_ns, known_ns, 0, np.empty((0, 0), dtype=np.int64))
        first_ns = int(ts_ns.min())
        minutes = (ts_ns - first_ns) // MINUTE_NS
        rows = np.full((symbols, int(minutes.max()) + 1), -1)
        rows[codes, minutes] = np.arange(len(ts_ns))
        return cls(codes, ts_ns, known_ns, first_ns, rows)

    @property
    def span(self) -> Range:
        """From the first bar to the end of the last; there is one."""
        return Range(self.first_ns, self.first_ns + self.rows.shape[1] * MINUTE_NS)

    def spans(self, minutes: int) -> list[Range]:
        """The same in pieces of so many minutes, one at least."""
        from_ns, to_ns = self.span
        step_ns = max(1, minutes) * MINUTE_NS
        return [Range(start_ns, min(start_ns + step_ns, to_ns)) for start_ns in range(from_ns, to_ns, step_ns)]

    def rows_of(self, codes: Ints, ts_ns: Ints) -> Ints:
        """Which bars these are; below 0 where there is none at this very moment. All lie in `span`."""
        since_ns = ts_ns - self.first_ns
        minutes = since_ns // MINUTE_NS
        rows = self.rows.reshape(-1).take(codes * self.rows.shape[1] + minutes)
        rows[minutes * MINUTE_NS != since_ns] = -1
        return cast("Ints", rows)


def put(matrix: Floats, bars: KnownBars, values: Values) -> None:
    """Put values at their bars if they were known when the bar was; of several for one place the last one stays.

    The columns of `matrix` lie one after the other.
    """
    rows = bars.rows_of(values.codes, values.ts_ns)
    good = rows >= 0
    good &= values.known_ns <= bars.known_ns[rows]
    places, numbers = values.columns * len(matrix) + rows, values.numbers
    if not good.all():
        places, numbers = places[good], numbers[good]
    matrix.reshape(-1, order="F")[places] = numbers
