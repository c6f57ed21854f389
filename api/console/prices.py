"""Prices as they come: the newest quote of each instrument, written the moment it is in the database."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from api.console.formats import number
from api.console.live import Panels, section
from api.console.tables import link, nothing
from api.console.view import ROOT, View
from api.stream.pending import Item
from ares.security.access.roles import Permission
from ares.store import Value, load_queries

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


class Prices:
    """Follows the quotes of all instruments, or of one; built in the section that `html` is in."""

    def __init__(self, view: View, panels: Panels, html: ui.html, only: tuple[str, str] | None = None) -> None:
        self._view = view
        self._html = html
        self._only = only
        self._newest: dict[tuple[str, str], tuple[Value, Value]] = {}
        panels.follow("quotes", self._take)
        panels.join(ui.element("div"), self._first, (), 60.0)

    async def _first(self) -> Markup:
        """What is known at first; what came since is newer."""
        await self._view.caller(Permission.READ_MARKET)
        for row in await self._view.house.parts.database.fetch(QUERIES["prices"]):
            key = (str(row["venue"]), str(row["symbol"]))
            if self._only in (None, key):
                self._newest.setdefault(key, (row["bid"], row["ask"]))
        self._write()
        return Markup("")

    def _take(self, items: Sequence[Item]) -> None:
        for item in items:
            key = (str(item.row["venue"]), str(item.row["symbol"]))
            if self._only in (None, key):
                self._newest[key] = (item.row["bid"], item.row["ask"])
        self._write()

    def _write(self) -> None:
        rows = Markup("").join(self._row(*key, *quote) for key, quote in sorted(self._newest.items()))
        if not rows:
            self._html.set_content(nothing("No quote came within the last day."))
            return
        self._html.set_content(
            Markup(
                '<div class="scrolls" tabindex="0" role="region" aria-label="Prices"><table>'
                '<caption class="unseen">Prices</caption><thead><tr><th scope="col">Symbol</th>'
                '<th scope="col" class="right">Bid</th>'
                '<th scope="col" class="right">Ask</th><th scope="col" class="right">Spread, bp</th></tr></thead>'
                "<tbody>{}</tbody></table></div>"
            ).format(rows)
        )

    def _row(self, venue: str, symbol: str, bid: Value, ask: Value) -> Markup:
        decimals = self._view.precision.steps(venue, symbol).price
        mid = middle(bid, ask)
        spread = (float(str(ask)) - float(str(bid))) / mid * BASIS_POINTS if mid else None
        name = link(f"{ROOT}/market?venue={venue}&symbol={symbol}", symbol)
        return Markup(
            '<tr><td>{}</td><td class="right">{}</td><td class="right">{}</td><td class="right">{}</td></tr>'
        ).format(name, number(bid, decimals), number(ask, decimals), number(spread, 2))


def add_prices(view: View, panels: Panels) -> None:
    """The panel of all prices."""
    if not view.may(Permission.READ_MARKET):
        return
    with section("Prices", "half"):
        html = ui.html(nothing("Loading …"), sanitize=False).classes("filled")
        Prices(view, panels, html)
