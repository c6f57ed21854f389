"""A drawing of coverage: a row a symbol, a column a day, each cell filled by what is known of its minutes.

For eyes and for screen readers alike: the drawing has a title, and every cell says its figures in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

CELL, GAP, LEFT, TOP = 44, 4, 190, 46
COLOURS = {"traded": "#1a7f37", "quiet": "#9be9a8", "gap": "#cf222e"}
STYLE = "text{font:12px sans-serif;fill:#1a1a1a}.none{fill:#eaeef2}" + "".join(
    f".{status}{{fill:{colour}}}" for status, colour in COLOURS.items()
)

Line = Mapping[str, object]


def svg_of(lines: Sequence[Line], title: str) -> str:
    """The drawing of lines of `coverage` that tell shares of minutes."""
    told = [line for line in lines if line["traded"] is not None]
    names = sorted({name_of(line) for line in told})
    days = sorted({str(line["day"]) for line in told})
    cells = {(name_of(line), str(line["day"])): line for line in told}
    width = LEFT + len(days) * (CELL + GAP) + GAP
    height = TOP + len(names) * (CELL + GAP) + 2 * TOP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"',
        f'role="img" aria-labelledby="title"><title id="title">{escape(title)}</title><style>{STYLE}</style>',
        *(f'<text x="{_x(i)}" y="{TOP - 10}">{escape(day[5:])}</text>' for i, day in enumerate(days)),
        *(f'<text x="8" y="{_y(i) + CELL // 2 + 4}">{escape(name)}</text>' for i, name in enumerate(names)),
        *(cell(cells.get((n, d)), f"{n} {d}", _x(x), _y(y)) for y, n in enumerate(names) for x, d in enumerate(days)),
        *legend(_y(len(names)) + 20),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def cell(line: Line | None, of: str, x: int, y: int) -> str:
    """A day of a symbol: its shares stacked, traded below."""
    if line is None:
        title = f"<title>{escape(of)}: nothing</title>"
        return f'<rect class="none" x="{x}" y="{y}" width="{CELL}" height="{CELL}">{title}</rect>'
    parts, below = [], float(y + CELL)
    for status in COLOURS:
        height = CELL * float(str(line[status]))
        below -= height
        parts.append(f'<rect class="{status}" x="{x}" y="{below:.1f}" width="{CELL}" height="{height:.1f}"/>')
    said = ", ".join(f"{status} {float(str(line[status])):.1%}" for status in COLOURS)
    return f"<g><title>{escape(of)}: {said}</title>{''.join(parts)}</g>"


def legend(y: int) -> list[str]:
    """What the colours mean."""
    return [
        f'<rect class="{status}" x="{LEFT + i * 80}" y="{y}" width="12" height="12"/>'
        f'<text x="{LEFT + i * 80 + 18}" y="{y + 11}">{status}</text>'
        for i, status in enumerate(COLOURS)
    ]


def name_of(line: Line) -> str:
    """Whose row of the drawing a line is in."""
    return f"{line['venue']} {line['symbol']}"


def _x(column: int) -> int:
    return LEFT + column * (CELL + GAP)


def _y(row: int) -> int:
    return TOP + row * (CELL + GAP)
