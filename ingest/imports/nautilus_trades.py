"""NautilusTrader's catalog files of trade ticks: https://nautilustrader.io/docs/latest/concepts/data/

Parquet: price, size, aggressor_side (1 bought, 2 sold), trade_id, ts_event (ns). Prices and sizes are integers in
bytes, the lowest first: of 16 bytes and 16 decimal places, or of 8 and 9 where it was built for standard precision. The
file says how many places its instrument has, so that each value is read as the float nearest to its decimal text.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from ares.errors import UsageError
from ingest.imports.columns import Block, Floats
from ingest.imports.judging import TradeColumns

NEEDED = ("price", "size", "aggressor_side", "trade_id", "ts_event")
PLACES = {16: 16, 8: 9}
"""How many decimal places an integer of so many bytes has."""
NOTHING = 0
"""A value that is not there is no price."""


def read(block: Block) -> TradeColumns:
    """Raises `UsageError` for prices in a form that is not known here."""
    return TradeColumns(
        block.integers("trade_id"),
        block.times_ns("ts_event"),
        _fixed(block, "price", "price_precision"),
        _fixed(block, "size", "size_precision"),
        block.choices("aggressor_side", yes="1", no="2"),
    )


def _fixed(block: Block, name: str, precision: str) -> Floats:
    column = block.columns[name]
    kind = column.type
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return block.floats(name)
    if not pa.types.is_fixed_size_binary(kind) or kind.byte_width not in PLACES:
        raise UsageError(f"column {name}: of type {kind}, not integers of 8 or 16 bytes as NautilusTrader writes them")
    places = PLACES[kind.byte_width]
    wanted = block.meta.get(precision, "")
    shown = int(wanted) if wanted.isdigit() and int(wanted) <= places else places
    unit, scale = 10 ** (places - shown), 10**shown
    raws = [NOTHING if cell is None else int.from_bytes(cell, "little", signed=True) for cell in column.to_pylist()]
    return np.array([raw // unit / scale if raw % unit == 0 else raw / 10**places for raw in raws], np.float64)
