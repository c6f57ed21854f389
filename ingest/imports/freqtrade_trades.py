"""freqtrade's files of trades (feather, parquet, CSV): https://www.freqtrade.io/en/stable/data-download/

Columns timestamp (ms), id, type, side (the taker's), price, amount, cost. Of Binance these are aggregate trades.
"""

from __future__ import annotations

from ingest.imports.columns import Block
from ingest.imports.judging import TradeColumns

NEEDED = ("timestamp", "id", "side", "price", "amount", "cost")


def read(block: Block) -> TradeColumns:
    """Trades whose ids are numbers."""
    return TradeColumns(
        block.integers("id"),
        block.times_ns("timestamp"),
        block.floats("price"),
        block.floats("amount"),
        block.choices("side", yes="buy", no="sell"),
    )
