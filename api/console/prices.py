"""Prices as they come: the newest quote of each instrument, written the moment it is in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from api.console.formats import number, since
from api.console.live import Panels, section
from api.console.tables import badge, link, nothing
from api.console.view import ROOT, View
from api.moments import moment_ns
from api.stream.pending import Item
from ares.clock import NANOS_PER_SECOND
from ares.security.access.roles import Permission
from ares.store import Value, load_queries
from ares.store.pool import as_int

QUERIES = load_queries("api", "queries/console.sql")
BASIS_POINTS = 10_000


def middle(bid: Value, ask: Value) -> float | None:
    """Between best bid and ask; None where one of them is missing.

    >>> middle(10.0, 12.0), middle(None, 12.0)
    (11.0, None)
    """
    if not isinstance(bid, float | int) or not isinstance(ask, float | int):
        return None
    return (bid + ask) / 2


@dataclass(frozen=True, slots=True)
class _Quote:
    ts_ns: int
    bid: Value
    ask: Value


class Prices:
    """Follows the quotes of all instruments, or of one; built in the section that `html` is in."""

    def __init__(self, view: View, panels: Panels, html: ui.html, only: tuple[str, str] | None = None) -> None:
        self._view = view
        self._html = html
        self._only = only
        self._newest: dict[tuple[str, str], _Quote] = {}
        panels.follow("quotes", self._take)
        panels.join(ui.element("div"), self._first, (), 60.0)
        panels.join(ui.element("div"), self._grown_old, (), 2.0)

    async def _first(self) -> Markup:
        """What is known at first; what came since is newer."""
        await self._view.caller(Permission.READ_MARKET)
        for row in await self._view.house.parts.database.fetch(QUERIES["prices"]):
            self._keep(row, as_int(row["ts"]))
        self._write()
        return Markup("")

    async def _grown_old(self) -> Markup:
        """Prices are said to be old when nothing new comes, too."""
        self._write()
        return Markup("")

    def _take(self, items: Sequence[Item]) -> None:
        for item in items:
            self._keep(item.row, moment_ns("ts", str(item.row["ts"])))
        self._write()

    def _keep(self, row: Mapping[str, Value], ts_ns: int) -> None:
        key = (str(row["venue"]), str(row["symbol"]))
        known = self._newest.get(key)
        if self._only in (None, key) and (known is None or ts_ns >= known.ts_ns):
            self._newest[key] = _Quote(ts_ns, row["bid"], row["ask"])

    def _write(self) -> None:
        content = self._table()
        if content != self._html.content:
            self._html.set_content(content)

    def _table(self) -> Markup:
        rows = Markup("").join(self._row(*key, quote) for key, quote in sorted(self._newest.items()))
        if not rows:
            return nothing("No quote came within the last day.")
        return Markup(
            '<div class="scrolls" tabindex="0" role="region" aria-label="Prices"><table>'
            '<caption class="unseen">Prices</caption><thead><tr><th scope="col">Symbol</th>'
            '<th scope="col" class="right">Bid</th>'
            '<th scope="col" class="right">Ask</th><th scope="col" class="right">Spread, bp</th></tr></thead>'
            "<tbody>{}</tbody></table></div>"
        ).format(rows)

    def _row(self, venue: str, symbol: str, quote: _Quote) -> Markup:
        bid, ask = quote.bid, quote.ask
        decimals = self._view.precision.steps(venue, symbol).price
        mid = middle(bid, ask)
        spread = (float(str(ask)) - float(str(bid))) / mid * BASIS_POINTS if mid else None
        name = link(f"{ROOT}/market?{urlencode({'venue': venue, 'symbol': symbol})}", symbol)
        name += old(quote.ts_ns, self._view)
        return Markup(
            '<tr><td>{}</td><td class="right">{}</td><td class="right">{}</td><td class="right">{}</td></tr>'
        ).format(name, number(bid, decimals), number(ask, decimals), number(spread, 2))


def old(ts: Value, view: View) -> Markup:
    """That a quote or a book is older than the trader would take it (`trading.risk.quote_age_s_max`), and how old."""
    parts = view.house.parts
    now_ns = parts.clock.now_ns()
    if not isinstance(ts, int) or (now_ns - ts) / NANOS_PER_SECOND <= parts.config().trading.risk.quote_age_s_max:
        return Markup("")
    return Markup(" {} ").format(badge(f"stale, {since(ts, now_ns)}"))


def add_prices(view: View, panels: Panels) -> None:
    """The panel of all prices."""
    if not view.may(Permission.READ_MARKET):
        return
    with section("Prices", "half"):
        html = ui.html(nothing("Loading …"), sanitize=False).classes("filled")
        Prices(view, panels, html)
