"""Which layouts there are, which columns each needs, and which of them a file has. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ares.errors import UsageError
from ingest.imports import (
    LayoutName,
    binance_aggtrades,
    binance_klines,
    freqtrade_ohlcv,
    freqtrade_trades,
    influx_ohlcv,
    influx_trades,
    nautilus_trades,
)
from ingest.imports.columns import Block
from ingest.imports.judging import CandleColumns, TradeColumns


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file of this kind holds: `needed` columns, and how many and which there are where no header names them.

    `points`: rows are put together from points of an InfluxDB; no file has these columns.
    """

    name: LayoutName
    needed: tuple[str, ...]
    read: Callable[[Block], TradeColumns | CandleColumns]
    unnamed: Sequence[tuple[str, ...]] = ()
    points: bool = False


LAYOUTS: dict[LayoutName, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            "binance-aggtrades", binance_aggtrades.NEEDED, binance_aggtrades.read, unnamed=binance_aggtrades.UNNAMED
        ),
        Layout("binance-klines", binance_klines.NEEDED, binance_klines.read, unnamed=(binance_klines.UNNAMED,)),
        Layout("freqtrade-trades", freqtrade_trades.NEEDED, freqtrade_trades.read),
        Layout("freqtrade-ohlcv", freqtrade_ohlcv.NEEDED, freqtrade_ohlcv.read),
        Layout("nautilus-trades", nautilus_trades.NEEDED, nautilus_trades.read),
        Layout("influx-trades", influx_trades.NEEDED, influx_trades.read, points=True),
        Layout("influx-ohlcv", influx_ohlcv.NEEDED, influx_ohlcv.read, points=True),
    )
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A file's columns: their names, or only how many there are."""

    names: tuple[str, ...]
    count: int


def layout_of(file: str, shape: Shape, wanted: LayoutName | None) -> tuple[Layout, tuple[str, ...]]:
    """The layout, and the names of all columns in order. Raises `UsageError` that names the column or the way out."""
    if wanted is not None:
        return LAYOUTS[wanted], _names(file, shape, LAYOUTS[wanted])
    if not shape.names:
        known = ", ".join(LAYOUTS)
        raise UsageError(f"{file}: no header names its {shape.count} columns. Say what it is: --layout, one of {known}")
    told = [layout for layout in LAYOUTS.values() if not layout.points]
    fitting = [layout for layout in told if set(layout.needed) <= set(shape.names)]
    if len(fitting) != 1:
        known = "; ".join(f"{layout.name} has {', '.join(layout.needed)}" for layout in told)
        raise UsageError(f"{file}: columns {', '.join(shape.names)} are those of no layout: {known}")
    return fitting[0], shape.names


def _names(file: str, shape: Shape, layout: Layout) -> tuple[str, ...]:
    if not shape.names:
        fitting = [names for names in layout.unnamed if len(names) == shape.count]
        if not fitting:
            counts = " or ".join(str(len(names)) for names in layout.unnamed) or "a header with"
            raise UsageError(
                f"{file}: {shape.count} columns and no header, but {layout.name} has {counts} columns: "
                f"{', '.join(layout.needed)}"
            )
        return fitting[0]
    lacking = [name for name in layout.needed if name not in shape.names]
    if lacking:
        raise UsageError(
            f"{file}: column {lacking[0]!r} is not there. {layout.name} needs {', '.join(layout.needed)}; "
            f"this file has {', '.join(name or '(unnamed)' for name in shape.names)}"
        )
    return shape.names
