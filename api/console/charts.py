"""Charts as options of ECharts: candles with what we did on them, lines, bars, heat maps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Options = dict[str, object]


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours that are read on the page's background."""

    text: str
    line: str
    up: str
    down: str
    mark: str
    gap: str

    @classmethod
    def of(cls, *, dark: bool) -> Ink:
        """Those of a theme."""
        if dark:
            return cls("#e8ecf4", "#2f3a50", "#4fd39d", "#ff8d84", "#8ab8ff", "rgba(246,205,107,0.18)")
        return cls("#1a2130", "#d5d9e0", "#0a6b46", "#b3261e", "#1a56b0", "rgba(122,75,0,0.14)")


@dataclass(frozen=True, slots=True)
class Candle:
    """A bar as it is drawn; without prices: nothing was traded, or `gap`: nobody knows."""

    label: str
    open: float | None
    high: float | None
    low: float | None
    close: float | None
    volume: float
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at a candle: a fill, or a signal. `side`: buy or sell."""

    at: str
    price: float
    side: str
    words: str


def candles(
    bars: Sequence[Candle],
    fills: Sequence[Mark],
    signals: Sequence[Mark],
    orders: Mapping[str, float],
    ink: Ink,
    *,
    decimals: int = 2,
) -> Options:
    """Candles and volume; triangles are fills, diamonds signals, dashed lines open orders (words to price), shaded
    stretches gaps. `decimals`: of a price; chart.js writes it so, and of a mark its words."""
    labels = [bar.label for bar in bars]
    prices = [
        [bar.open, bar.close, bar.low, bar.high] if bar.open is not None else ["-", "-", "-", "-"] for bar in bars
    ]
    rises = [bar.close is not None and bar.open is not None and bar.close >= bar.open for bar in bars]
    volumes = [
        {"value": bar.volume, "itemStyle": {"color": ink.up if rose else ink.down, "opacity": 0.5}}
        for bar, rose in zip(bars, rises, strict=True)
    ]
    rule = {"lineStyle": {"color": ink.line}}
    axis = {"type": "category", "data": labels, "boundaryGap": True, "axisLine": rule}
    return {
        "animation": False,
        "textStyle": {"color": ink.text},
        "aria": {"enabled": True},
        "tooltip": {"trigger": "axis", "axisPointer": {"type": "cross"}, "confine": True},
        "legend": {"data": ["Price", "Fills", "Signals"], "textStyle": {"color": ink.text}, "top": 0},
        "axisPointer": {"link": [{"xAxisIndex": "all"}]},
        "grid": [
            {"left": 8, "right": 70, "top": 30, "height": "64%"},
            {"left": 8, "right": 70, "top": "80%", "height": "10%"},
        ],
        "xAxis": [
            {**axis, "axisLabel": {"color": ink.text}},
            {**axis, "gridIndex": 1, "axisLabel": {"show": False}, "axisTick": {"show": False}},
        ],
        "yAxis": [
            {"scale": True, "position": "right", "axisLabel": {"color": ink.text}, "splitLine": rule},
            {"scale": True, "gridIndex": 1, "axisLabel": {"show": False}, "splitLine": {"show": False}},
        ],
        "dataZoom": _zoom(0 if len(bars) < 130 else 50, ink),
        "series": [
            {
                "name": "Price",
                "type": "candlestick",
                "decimals": decimals,
                "data": prices,
                "itemStyle": {"color": ink.up, "color0": ink.down, "borderColor": ink.up, "borderColor0": ink.down},
                "markLine": _lines(orders, ink),
                "markArea": _areas(bars, ink),
            },
            _scatter("Fills", "triangle", fills, {"buy": ink.up, "sell": ink.down}, ink),
            _scatter("Signals", "diamond", signals, {}, ink),
            {"name": "Volume", "type": "bar", "xAxisIndex": 1, "yAxisIndex": 1, "data": volumes},
        ],
    }


def _zoom(start: float, ink: Ink) -> list[Options]:
    return [
        {"type": "inside", "xAxisIndex": [0, 1], "start": start, "end": 100},
        {"type": "slider", "xAxisIndex": [0, 1], "bottom": 4, "height": 18, "textStyle": {"color": ink.text}},
    ]


def _scatter(name: str, symbol: str, marks: Sequence[Mark], colours: Mapping[str, str], ink: Ink) -> Options:
    return {
        "name": name,
        "type": "scatter",
        "symbol": symbol,
        "symbolSize": 11,
        "z": 5,
        "data": [
            {
                "value": [mark.at, mark.price],
                "name": mark.words,
                "symbolRotate": 0 if mark.side == "buy" else 180,
                "itemStyle": {"color": colours.get(mark.side, ink.mark), "borderColor": ink.text},
            }
            for mark in marks
        ],
        "worded": True,
    }


def _lines(orders: Mapping[str, float], ink: Ink) -> Options:
    return {
        "symbol": "none",
        "lineStyle": {"type": "dashed", "color": ink.mark},
        "label": {"color": ink.text, "formatter": "{b}", "position": "insideStartTop"},
        "data": [{"name": words, "yAxis": price} for words, price in orders.items()],
    }


def _areas(bars: Sequence[Candle], ink: Ink) -> Options:
    stretches: list[list[dict[str, str]]] = []
    first: Candle | None = None
    before: Candle | None = None
    for bar in (*bars, None):
        if bar is not None and bar.gap:
            first = first or bar
        elif first is not None and before is not None:
            stretches.append([{"name": "gap", "xAxis": first.label}, {"xAxis": before.label}])
            first = None
        before = bar
    return {"itemStyle": {"color": ink.gap}, "label": {"color": ink.text}, "data": stretches}


def lines(labels: Sequence[str], series: Mapping[str, Sequence[float | None]], ink: Ink, *, unit: str = "") -> Options:
    """Lines over moments; holes stay holes."""
    return {
        "animation": False,
        "textStyle": {"color": ink.text},
        "aria": {"enabled": True},
        "tooltip": {"trigger": "axis", "confine": True},
        "legend": {"show": len(series) > 1, "textStyle": {"color": ink.text}, "top": 0},
        "grid": {"left": 8, "right": 12, "top": 28, "bottom": 8, "containLabel": True},
        "xAxis": {"type": "category", "data": list(labels), "axisLabel": {"color": ink.text}},
        "yAxis": {
            "type": "value",
            "scale": True,
            "name": unit,
            "nameTextStyle": {"color": ink.text},
            "axisLabel": {"color": ink.text},
            "splitLine": {"lineStyle": {"color": ink.line}},
        },
        "series": [
            {"name": name, "type": "line", "showSymbol": len(values) < 3, "connectNulls": False, "data": list(values)}
            for name, values in series.items()
        ],
    }


def equity(
    labels: Sequence[str],
    worth: Mapping[str, Sequence[float | None]],
    fell: Mapping[str, Sequence[float | None]],
    ink: Ink,
) -> Options:
    """Lines of worth, in quote, and below them how far it fell from its best, in per cent (0 or less)."""
    names = list(worth)
    axis = {"axisLabel": {"color": ink.text}, "nameTextStyle": {"color": ink.text}, "scale": True, "type": "value"}
    drawn = [
        {"name": name, "type": "line", "showSymbol": len(values) < 3, "connectNulls": False, "data": list(values)}
        for name, values in {**worth, **fell}.items()
    ]
    for series in drawn:
        if series["name"] not in names:
            series.update(yAxisIndex=1, lineStyle={"type": "dashed", "color": ink.down}, itemStyle={"color": ink.down})
    return {
        **lines(labels, {}, ink),
        "legend": {"show": True, "textStyle": {"color": ink.text}, "top": 0},
        "yAxis": [
            {**axis, "splitLine": {"lineStyle": {"color": ink.line}}},
            {**axis, "name": "%", "max": 0, "scale": False, "splitLine": {"show": False}},
        ],
        "series": drawn,
    }


def heat(across: Sequence[str], down: Sequence[str], cells: Sequence[tuple[int, int, float]], ink: Ink) -> Options:
    """Shares from 0 to 1 (column, row, share) of a grid."""
    return {
        "animation": False,
        "textStyle": {"color": ink.text},
        "aria": {"enabled": True},
        "tooltip": {"position": "top", "confine": True},
        "grid": {"left": 8, "right": 12, "top": 8, "bottom": 48, "containLabel": True},
        "xAxis": {"type": "category", "data": list(across), "axisLabel": {"color": ink.text}},
        "yAxis": {"type": "category", "data": list(down), "axisLabel": {"color": ink.text}},
        "visualMap": {
            "min": 0,
            "max": 1,
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "itemHeight": 90,
            "textStyle": {"color": ink.text},
            "inRange": {"color": [ink.down, "#d9a441", ink.up]},
        },
        "series": [{"type": "heatmap", "data": [list(cell) for cell in cells], "itemStyle": {"borderColor": ink.line}}],
    }
