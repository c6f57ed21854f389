"""Moving in: files that others wrote become rows."""

from typing import Literal

LayoutName = Literal[
    "binance-aggtrades", "binance-klines", "freqtrade-trades", "freqtrade-ohlcv", "nautilus-trades",
    "influx-trades", "influx-ohlcv",
]  # fmt: skip
"""What a file can be."""
