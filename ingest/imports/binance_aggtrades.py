"""Binance's public files of aggregate trades, spot and futures: https://github.com/binance/binance-public-data#aggtrades

The ids are those of the stream `aggTrade` and of REST. Spot files have no header and, from 2025 on, times in µs; the
stream stores milliseconds, and so does what is read here, or the same trade would be two rows.
"""

from __future__ import annotations

from ingest.imports.columns import Block, whole_millis
from ingest.imports.judging import TradeColumns

NEEDED = ("agg_trade_id", "price", "quantity", "transact_time", "is_buyer_maker")
FUTURES = (
    "agg_trade_id", "price", "quantity", "first_trade_id", "last_trade_id", "transact_time", "is_buyer_maker",
)  # fmt: skip
UNNAMED = (FUTURES, (*FUTURES, "is_best_match"))


def read(block: Block) -> TradeColumns:
    """The buyer was the maker: the taker sold."""
    return TradeColumns(
        block.integers("agg_trade_id"),
        whole_millis(block.times_ns("transact_time")),
        block.floats("price"),
        block.floats("quantity"),
        block.choices("is_buyer_maker", yes="false", no="true"),
    )
