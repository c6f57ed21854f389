"""Candles of one minute from an InfluxDB; which tag or field is what, the command says. A point's time is its start.

Cost, number of trades and bought volume are taken if all three are there.
"""

from __future__ import annotations

from ingest.imports.columns import Block
from ingest.imports.freqtrade_ohlcv import require_minutes
from ingest.imports.judging import CandleColumns

NEEDED = ("time", "open", "high", "low", "close", "volume", "cost", "trades", "buy_volume")


def read(block: Block) -> CandleColumns:
    """Raises `UsageError` for candles that are not of one minute."""
    starts_ns = block.times_ns("time")
    require_minutes(starts_ns, "time")
    first, high, low, last, volume = (block.floats(name) for name in NEEDED[1:6])
    if any(block.columns[name].null_count == len(block) for name in NEEDED[6:]):
        return CandleColumns(starts_ns, first, high, low, last, volume)
    cost, buy_volume = block.floats("cost"), block.floats("buy_volume")
    return CandleColumns(starts_ns, first, high, low, last, volume, cost, block.integers("trades"), buy_volume)
