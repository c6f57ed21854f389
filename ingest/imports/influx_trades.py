"""Trades from an InfluxDB; which tag or field is what, the command says."""

from __future__ import annotations

from ingest.imports.columns import Block
from ingest.imports.judging import TradeColumns

NEEDED = ("time", "trade_id", "side", "price", "amount")


def read(block: Block) -> TradeColumns:
    """Trades whose ids are numbers, the venue's or derived; side is buy or sell."""
    return TradeColumns(
        block.integers("trade_id"),
        block.times_ns("time"),
        block.floats("price"),
        block.floats("amount"),
        block.choices("side", yes="buy", no="sell"),
    )
