"""Lines over time as inline SVG that fits any width: strokes and letters keep their size. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from itertools import pairwise

import numpy as np
import orjson

from ares.clock import NANOS_PER_SECOND
from backtest.outcome import Floats, Ints

WIDTH, HEIGHT = 1_000, 300
POINTS_MAX = 1_000
"""Of a longer line every stretch is told by its lowest and highest point: nothing that stands out is lost."""
POINTED_MAX = 400
"""Points that the page tells the value of."""
MARGIN = 0.04


@dataclass(frozen=True, slots=True)
class Line:
    """Values at moments, UTC ns; `style` is a class of the page. Dots stand alone instead of being joined."""

    ts: Ints
    values: Floats
    style: str = ""
    dots: bool = False


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one span of time; the first one's values are told to who points at it. `title` is read aloud."""

    title: str
    lines: Sequence[Line]
    style: str = ""
    percent: bool = False


def chart_html(chart: Chart) -> str:
    """The chart; a sentence where there is nothing to draw."""
    drawn = [each for each in map(_known, chart.lines) if len(each.ts)]
    if not drawn or (len(drawn[0].ts) < 2 and not drawn[0].dots):
        return '<p class="soft">There is nothing to draw.</p>'
    first, last = min(int(each.ts[0]) for each in drawn), max(int(each.ts[-1]) for each in drawn)
    low, high = min(float(np.min(each.values)) for each in drawn), max(float(np.max(each.values)) for each in drawn)
    room = (high - low) * MARGIN or abs(high) * MARGIN or 1.0
    low, high = low - room, high + room
    paths = "".join(_path(each, (first, last), (low, high)) for each in drawn)
    rules = "".join(f'<path class="rule" d="M0 {HEIGHT * part:g}H{WIDTH}"/>' for part in (0.25, 0.5, 0.75))
    points = orjson.dumps(_pointed(drawn[0])).decode()
    return (
        f'<div class="chart {chart.style}" data-points="{escape(points)}">'
        f'<div style="position:relative">{_heights(low, high, percent=chart.percent)}<output></output>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(chart.title)}">'
        f"{rules}{paths}</svg></div>{_days(first, last)}</div>"
    )


def thinned(line: Line, points_max: int = POINTS_MAX) -> Line:
    """At most so many points: the lowest and the highest of every stretch, in their order; the first and last stay."""
    count = len(line.ts)
    if count <= points_max or line.dots:
        return line
    edges = np.linspace(0, count, points_max // 2, dtype=np.int64)
    kept = {0, count - 1}
    for begin, end in pairwise(edges):
        stretch = line.values[begin:end]
        kept.update((int(begin + np.argmin(stretch)), int(begin + np.argmax(stretch))))
    places = np.array(sorted(kept))
    return Line(line.ts[places], line.values[places], line.style)


def _known(line: Line) -> Line:
    known = np.isfinite(line.values)
    return thinned(Line(line.ts[known], line.values[known], line.style, line.dots))


def _path(line: Line, span: tuple[int, int], heights: tuple[float, float]) -> str:
    (first, last), (low, high) = span, heights
    across = (line.ts - first) / max(1, last - first) * WIDTH
    down = (high - line.values) / (high - low) * HEIGHT
    each = (f"{x:.1f} {y:.1f}" for x, y in zip(across, down, strict=True))
    told = "".join(f"M{place}h0" for place in each) if line.dots else "M" + "L".join(each)
    return f'<path class="{line.style}" d="{told}"/>'


def _pointed(line: Line) -> list[list[float]]:
    told = thinned(Line(line.ts, line.values), POINTED_MAX)
    places = np.linspace(0, len(told.ts) - 1, min(len(told.ts), POINTED_MAX)).astype(np.int64)
    return [[int(told.ts[at]) // NANOS_PER_SECOND, float(f"{told.values[at]:.9g}")] for at in places]


def _heights(low: float, high: float, *, percent: bool) -> str:
    parts = (0.0, 0.25, 0.5, 0.75, 1.0)
    each = ((part, high - (high - low) * part) for part in parts)
    return "".join(
        f'<span class="y" style="top:{part:.0%};left:-4.6rem">{f"{value:.1%}" if percent else _number(value)}</span>'
        for part, value in each
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.5g}"


def _days(first: int, last: int) -> str:
    moments: Iterable[int] = (first, (first + last) // 2, last)
    short = last - first < 3 * 86_400 * NANOS_PER_SECOND
    form = "%m-%d %H:%M" if short else "%Y-%m-%d"
    told = (datetime.fromtimestamp(each // NANOS_PER_SECOND, UTC).strftime(form) for each in moments)
    return f'<div class="x">{"".join(f"<span>{each}</span>" for each in told)}</div>'
