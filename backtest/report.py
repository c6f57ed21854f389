"""A backtest as one page that needs nothing else: `write_report`. Drawings are inline, nothing comes over a network.

The same outcome makes the same page to the byte: it says nothing of when it was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Protocol

import numpy as np

from ares.clock import NANOS_PER_SECOND
from ares.errors import UsageError
from backtest.benchmark import Comparison, compare, hold
from backtest.charts import Chart, Line, chart_html
from backtest.figures import Figures
from backtest.outcome import Fill, Floats, Ints, Outcome
from backtest.returns import drawdowns
from backtest.trips import Trip, trips

TRIPS_SHOWN, FILLS_SHOWN, SYMBOLS_SHOWN = 200, 2_000, 12
UNKNOWN = "–"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
PERCENT = {"return_share", "cagr", "volatility", "drawdown_share_max", "win_share", "exposure_share", "alpha"}
NAMES = {
    "pnl_quote": "Profit", "end_quote": "Worth at the end", "return_share": "Return", "cagr": "Growth in a year",
    "volatility": "Volatility, yearly", "sharpe": "Sharpe", "sortino": "Sortino", "calmar": "Calmar",
    "drawdown_share_max": "Deepest fall", "drawdown_s_max": "Longest fall", "trades": "Round trips",
    "win_share": "Of them won", "profit_factor": "Profit factor", "expectancy_quote": "Profit of a trip, mean",
    "fees_quote": "Fees", "turnover_quote": "Turnover", "exposure_share": "Time with a position",
}  # fmt: skip


class PriceBars(Protocol):
    """A symbol's bars: starts, UTC ns, and prices."""

    @property
    def ts(self) -> Ints: ...
    @property
    def close(self) -> Floats: ...


def write_report(
    outcome: Outcome,
    figures: Figures,
    bars: Mapping[str, PriceBars],
    path: Path,
    settings: Mapping[str, object] | None = None,
) -> None:
    """Write the page. `bars` by symbol, as they were tested; `settings`: what else is to be told of the run.

    Raises `OSError` where `path` cannot be written.
    """
    path.write_text(report_html(outcome, figures, bars, settings or {}), encoding="utf-8")


def written(
    outcome: Outcome, figures: Figures, bars: Mapping[str, PriceBars], path: Path, settings: Mapping[str, object]
) -> None:
    """The same for a path that a person named. Raises `UsageError` where it cannot be written."""
    try:
        write_report(outcome, figures, bars, path, settings)
    except OSError as error:
        raise UsageError(f"--report = {str(path)!r}: it cannot be written: {error.strerror}. Name another") from None


def report_html(
    outcome: Outcome, figures: Figures, bars: Mapping[str, PriceBars], settings: Mapping[str, object]
) -> str:
    """The page as text."""
    tested = outcome.tested
    held = _held(outcome, bars)
    every = trips(outcome.fills)
    page = Template(files("backtest").joinpath("pages", "report.html").read_text(encoding="utf-8"))
    span = f"{_moment(tested.from_ns)} to {_moment(tested.to_ns)} UTC"
    return page.substitute(
        title=escape(f"{tested.strategy} {tested.version}, {outcome.tier} backtest"),
        subtitle=escape(f"{', '.join(tested.symbols)} on {tested.venue}, {span}"),
        figures=_figures(figures, None if held is None else _compared(outcome, held)),
        equity=_equity(outcome, held),
        drawdown=_drawdown(outcome),
        prices=_prices(outcome.fills, bars),
        months=_months(figures),
        trips=_trips(every),
        refusals=_table(("Rule", "Orders"), [(rule, str(count)) for rule, count in sorted(outcome.refusals.items())]),
        settings=_settings(outcome, figures, settings),
    )


def _held(outcome: Outcome, bars: Mapping[str, PriceBars]) -> Floats | None:
    """What holding the same symbols would have been worth at the same moments; None without bars."""
    known = [bars[symbol] for symbol in outcome.tested.symbols if symbol in bars and len(bars[symbol].ts)]
    if not known or len(outcome.equity_ts) < 2:
        return None
    columns = []
    for each in known:
        places = np.searchsorted(each.ts, outcome.equity_ts, side="left") - 1  # a bar's close is known at its end
        columns.append(np.where(places < 0, np.nan, each.close[np.maximum(places, 0)]))
    return hold(np.stack(columns, axis=1), float(outcome.tested.start_quote))


def _compared(outcome: Outcome, held: Floats) -> Comparison:
    return compare(outcome.equity_ts, outcome.equity, held, float(outcome.tested.start_quote))


def _figures(figures: Figures, against: Comparison | None) -> str:
    told = figures.numbers()
    shown = [(label, _told(name, told[name])) for name, label in NAMES.items()]
    if against is not None:
        shown += [
            ("Return of holding", _told("return_share", against.benchmark_return_share)),
            ("Alpha, yearly", _told("alpha", against.alpha)),
            ("Beta", _told("beta", against.beta)),
            ("Information ratio", _told("information_ratio", against.information_ratio)),
        ]
    return "".join(f"<div><dt>{escape(label)}</dt><dd>{value}</dd></div>" for label, value in shown)


def _told(name: str, value: float | None) -> str:
    if value is None:
        return UNKNOWN
    if name in PERCENT:
        return f"{value:,.2%}"
    if name.endswith("_s_max"):
        return _length(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _length(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:,.0f} s"


def _equity(outcome: Outcome, held: Floats | None) -> str:
    lines = [Line(outcome.equity_ts, outcome.equity)]
    key = ""
    if held is not None:
        lines.append(Line(outcome.equity_ts, held, "second"))
        key = '<p class="soft">Dashed: the same symbols, bought in equal parts and held, without costs.</p>'
    return key + chart_html(Chart("Worth of the account in the quote currency", lines))


def _drawdown(outcome: Outcome) -> str:
    fallen = -drawdowns(outcome.equity, float(outcome.tested.start_quote))
    return chart_html(
        Chart("How far below its highest", [Line(outcome.equity_ts, fallen, "fall")], "low", percent=True)
    )


def _prices(fills: Sequence[Fill], bars: Mapping[str, PriceBars]) -> str:
    drawn = [_price(symbol, fills, each) for symbol, each in list(bars.items())[:SYMBOLS_SHOWN]]
    return "\n".join(drawn)


def _price(symbol: str, fills: Iterable[Fill], bars: PriceBars) -> str:
    mine = [fill for fill in fills if fill.symbol == symbol]
    shown = mine[-FILLS_SHOWN:]
    dots = [_dots([fill for fill in shown if fill.side == side], side) for side in ("buy", "sell")]
    told = f"{len(mine):,} fills" if len(mine) == len(shown) else f"the last {len(shown):,} of {len(mine):,} fills"
    drawn = chart_html(Chart(f"Closes of {symbol}, and fills", [Line(bars.ts, bars.close), *dots]))
    key = '<span class="key buy">bought</span> <span class="key sell">sold</span>'
    return f'<h2>{escape(symbol)}</h2><p class="soft">{told} {key}</p>{drawn}'


def _dots(fills: Sequence[Fill], style: str) -> Line:
    ts = np.array([fill.ts_ns for fill in fills], dtype=np.int64)
    return Line(ts, np.array([float(fill.price) for fill in fills]), style, dots=True)


def _months(figures: Figures) -> str:
    years: dict[int, dict[int, float]] = {}
    for month in figures.months:
        years.setdefault(month.year, {})[month.month] = month.return_share
    rows = []
    for year, found in sorted(years.items()):
        whole = float(np.prod([1 + share for share in found.values()])) - 1
        rows.append((str(year), *(_share(found.get(number)) for number in range(1, 13)), _share(whole)))
    return _table(("Year", *MONTHS, "Year"), rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:+.2%}"


def _trips(every: Sequence[Trip]) -> str:
    shown = every[-TRIPS_SHOWN:]
    rows = [
        (
            each.symbol,
            _moment(each.opened_ns),
            "open" if each.closed_ns is None else _moment(each.closed_ns),
            "long" if each.side == "buy" else "short",
            f"{each.cost_quote:,.2f}",
            f"{each.profit_quote:+,.2f}",
            f"{each.return_share:+.2%}",
            f"{each.fees_quote:,.2f}",
        )
        for each in shown
    ]
    said = f'<p class="soft">The last {len(shown):,} of {len(every):,}.</p>' if len(shown) < len(every) else ""
    return said + _table(("Symbol", "Opened", "Closed", "Side", "Cost", "Profit", "Return", "Fees"), rows)


def _settings(outcome: Outcome, figures: Figures, settings: Mapping[str, object]) -> str:
    tested = outcome.tested
    told: dict[str, object] = {
        "Strategy": f"{tested.strategy} {tested.version}", "Tier": outcome.tier, "Venue": tested.venue,
        "Symbols": ", ".join(tested.symbols), "From": f"{_moment(tested.from_ns)} UTC",
        "To": f"{_moment(tested.to_ns)} UTC", "Start": f"{tested.start_quote:f}",
        "Period of the ratios": _length(figures.period_s), "Hash of the data": tested.data_hash,
        "Hash of code and settings": tested.code_hash, **settings,
    }  # fmt: skip
    rows = "".join(
        f'<tr><td>{escape(name)}</td><td class="text">{escape(str(value))}</td></tr>' for name, value in told.items()
    )
    return f'<div class="scroll"><table>{rows}</table></div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="soft">None.</p>'
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _cell(text: str) -> str:
    """What gained or lost says so by its sign, and by its colour."""
    colour = {"+": "good", "-": "bad"}.get(text[:1], "")
    return f'<td class="{colour}">{escape(text)}</td>' if colour else f"<td>{escape(text)}</td>"


def _moment(ts_ns: int) -> str:
    return datetime.fromtimestamp(ts_ns // NANOS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M")
