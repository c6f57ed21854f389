"""Binance's public files of candles: https://github.com/binance/binance-public-data#klines

Spot files have no header and, from 2025 on, times in µs. Only candles of one minute have a table.
"""

from __future__ import annotations

import numpy as np

from ares.clock import MINUTE_NS
from ares.errors import UsageError
from ingest.imports.columns import Block
from ingest.imports.judging import CandleColumns

NEEDED = (
    "open_time", "open", "high", "low", "close", "volume", "close_time", "quote_volume", "count", "taker_buy_volume",
)  # fmt: skip
UNNAMED = (*NEEDED, "taker_buy_quote_volume", "ignore")
LAST_OF_MINUTE_NS = (MINUTE_NS - 1_000_000, MINUTE_NS - 1_000)
"""How long after its start a candle of one minute says that it closes, in ms and in µs."""


def read(block: Block) -> CandleColumns:
    """Raises `UsageError` for candles that are not of one minute."""
    starts_ns, closes_ns = block.times_ns("open_time"), block.times_ns("close_time")
    lasting = (closes_ns - starts_ns)[(starts_ns > 0) & (closes_ns > 0)]
    other = lasting[~np.isin(lasting, LAST_OF_MINUTE_NS)]
    if len(other) == len(lasting) > 0:
        minutes = (int(other[0]) + 1_000_000) // MINUTE_NS
        raise UsageError(f"column close_time: candles of {minutes} minutes. Only those of 1 minute are stored; take 1m")
    starts_ns = np.where(np.isin(closes_ns - starts_ns, LAST_OF_MINUTE_NS), starts_ns, -1)
    first, high, low, last, volume = (block.floats(name) for name in ("open", "high", "low", "close", "volume"))
    cost, buy_volume = block.floats("quote_volume"), block.floats("taker_buy_volume")
    return CandleColumns(starts_ns, first, high, low, last, volume, cost, block.integers("count"), buy_volume)
