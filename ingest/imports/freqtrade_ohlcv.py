"""freqtrade's files of candles (feather, parquet): https://www.freqtrade.io/en/stable/data-download/

Columns date (start, UTC), open, high, low, close, volume. The length of a candle stands in the file's name only, so it
is told by the least distance of two starts. Cost, number of trades and bought volume are not known: NULL.
"""

from __future__ import annotations

import numpy as np

from ares.clock import MINUTE_NS
from ares.errors import UsageError
from ingest.imports.columns import Block, Integers
from ingest.imports.judging import CandleColumns

NEEDED = ("date", "open", "high", "low", "close", "volume")


def read(block: Block) -> CandleColumns:
    """Raises `UsageError` for candles that are not of one minute."""
    starts_ns = block.times_ns("date")
    require_minutes(starts_ns, "date")
    first, high, low, last, volume = (block.floats(name) for name in NEEDED[1:])
    return CandleColumns(starts_ns, first, high, low, last, volume)


def require_minutes(starts_ns: Integers, column: str) -> None:
    """Raises `UsageError` where no two candles start within a minute of one another."""
    steps = np.diff(np.unique(starts_ns[starts_ns > 0]))
    if len(steps) > 0 and int(steps.min()) > MINUTE_NS:
        minutes = int(steps.min()) // MINUTE_NS
        raise UsageError(f"column {column}: candles of {minutes} minutes. Only those of 1 minute are stored; take 1m")
