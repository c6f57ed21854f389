"""Market: candles with what was signalled, ordered and done on them, depth, tape, and a ticket."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from api.console.book import depth, tape
from api.console.charts import Candle, Ink, Mark, candles
from api.console.drawn import Chart
from api.console.formats import moment, number
from api.console.live import Panels, section
from api.console.prices import QUERIES, Prices, old
from api.console.research import finite
from api.console.standing import open_orders
from api.console.tables import Col, Form, nothing, table
from api.console.ticket import add_ticket
from api.console.view import ROOT, View
from ares.clock import DAY_NS, NANOS_PER_SECOND, isoformat
from ares.errors import StoreError
from ares.model.strategies import MANUAL
from ares.security.access.roles import Permission
from ares.store import Param, Record, Value

BARS: Final = 300
INTERVALS_S: Final = {"1m": 60, "5m": 300, "1h": 3_600, "1d": 86_400}
TAPE: Final = 24
STANDING: Final = (
    Col("side", "Side", Form.SIDE),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("price", "Price", Form.PRICE),
    Col("stop_price", "Stop", Form.PRICE),
    Col("state", "State", Form.STATE),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
)


async def build(view: View) -> None:
    """One instrument, named by the query; without: the first that is listed."""
    asked = (view.query.get("venue", ""), view.query.get("symbol", ""))
    listed = await _listed(view, asked)
    here = asked if asked in listed else next((each for each in listed if each[1] == asked[1]), None)
    if here is None and listed:
        here = listed[0]
    if here is None:
        with section("Instruments", "full"):
            ui.html(nothing("No venue has listed an instrument yet. Collectors do it when they start."), sanitize=False)
        return
    interval = view.query.get("interval", "1m")
    await _instrument(view, listed, here, interval if interval in INTERVALS_S else "1m")


async def _listed(view: View, asked: tuple[str, str]) -> Sequence[tuple[str, str]]:
    """Those of the venue that orders go to come first. Without a database the known ones: orders need none.

    Raises `StoreError` where none is known.
    """
    own = view.house.parts.config().trading.venue
    try:
        found = [(str(row["venue"]), str(row["symbol"])) for row in await view.rows("instruments", 2_000)]
    except StoreError:
        found = sorted({*view.precision.of, *([asked] if asked[0] == own and asked[1] else [])})
        if not found:
            raise
    return sorted(found, key=lambda each: each[0] != own)


async def _instrument(view: View, listed: Sequence[tuple[str, str]], here: tuple[str, str], interval: str) -> None:
    venue, symbol = here
    panels = Panels(view)
    with section(f"{symbol} on {venue}", "full"):
        _choices(listed, here, interval)
        Prices(view, panels, ui.html("", sanitize=False).classes("quote"), here)
    chart = Chart(f"{symbol}, {interval}", lambda: _chart(view, here, interval), "wide", low=False)
    chart.join(panels, follows=("bars", "fills", "signals", "orders"), every_s=15)
    if view.may(Permission.TRADE) and view.known.scope.covers(strategy=MANUAL):
        add_ticket(view, venue, symbol)
    steps = view.precision.steps(venue, symbol)

    async def book() -> Markup:
        await view.caller(Permission.READ_MARKET)
        found = await view.house.parts.database.fetch(QUERIES["book"], {"venue": venue, "symbol": symbol})
        book = found[0] if found else None
        return depth(book, steps, None if book is None else old(book["ts"], view))

    async def trades() -> Markup:
        await view.caller(Permission.READ_MARKET)
        asked: dict[str, Param] = {"venue": venue, "symbol": symbol, "most": TAPE}
        return tape(await view.house.parts.database.fetch(QUERIES["tape"], asked), steps, view.reader)

    panels.add("Depth", book, follows=("quotes",), every_s=1, size="third")
    panels.add("Trades", trades, follows=("trades",), size="third")
    if view.may(Permission.READ_TRADING):
        panels.add("Open orders", lambda: _mine(view, here), follows=("orders",), size="third")
    await panels.settle()


def _choices(listed: Sequence[tuple[str, str]], here: tuple[str, str], interval: str) -> None:
    def go(place: tuple[str, str], each: str) -> None:
        ui.navigate.to(f"{ROOT}/market?{urlencode({'venue': place[0], 'symbol': place[1], 'interval': each})}")

    names = {f"{venue} {symbol}": (venue, symbol) for venue, symbol in listed}
    with ui.element("div").classes("row-of"):
        ui.select(
            list(names),
            value=" ".join(here),
            label="Instrument",
            with_input=True,
            on_change=lambda event: go(names[str(event.value)], interval),
        ).props("outlined dense options-dense").classes("instrument")
        ui.select(
            list(INTERVALS_S), value=interval, label="Interval", on_change=lambda event: go(here, str(event.value))
        ).props("outlined dense options-dense").classes("interval")


async def _chart(view: View, here: tuple[str, str], interval: str) -> dict[str, object]:
    venue, symbol = here
    span_ns = BARS * INTERVALS_S[interval] * NANOS_PER_SECOND
    since = isoformat(view.house.parts.clock.now_ns() - span_ns)
    of: dict[str, str] = {"venue": venue, "symbol": symbol, "since": since}
    bars = list(reversed(await view.rows("bars", BARS, interval=interval, **of)))
    if not bars:
        return {}
    fills, signals, orders = await asyncio.gather(_seen(view, "fills", of), _seen(view, "signals", of), _open(view, of))
    drawn = [candle(row, view.zone, interval) for row in bars]
    starts = [int(str(row["ts"])) for row in bars]
    at = Places(starts, [bar.label for bar in drawn], [finite(row["close"]) for row in bars])
    signalled = [at.signal(row) for row in signals if at.holds(row["ts"]) and row["target"]]
    return candles(
        drawn,
        [at.fill(row, view) for row in fills if at.holds(row["ts"])],
        [mark for mark in signalled if mark is not None],
        orders,
        Ink.of(dark=view.dark),
        decimals=view.precision.steps(venue, symbol).price,
    )


async def _seen(view: View, path: str, of: dict[str, str]) -> Sequence[Record]:
    permission = Permission.READ_TRADING if path == "fills" else Permission.READ_RESEARCH
    return await view.rows(path, 1_000, **of) if view.may(permission) else ()


async def _mine(view: View, here: tuple[str, str]) -> Markup:
    rows = await open_orders(view, venue=here[0], symbol=here[1])
    return table("Open orders", STANDING, rows, view.reader, empty="Nothing stands.")


async def _open(view: View, of: dict[str, str]) -> dict[str, float]:
    if not view.may(Permission.READ_TRADING):
        return {}
    rows = await open_orders(view, venue=of["venue"], symbol=of["symbol"])
    steps = view.precision.steps(of["venue"], of["symbol"])
    return {
        f"{row['side']} {number(row['quantity'], steps.amount)}": float(str(row["price"] or row["stop_price"]))
        for row in rows
        if row["price"] or row["stop_price"]
    }


def candle(row: Record, zone: tzinfo, interval: str) -> Candle:
    """A bar as it is drawn; a day is one of UTC, as its bar is, and has that name everywhere."""
    daily = INTERVALS_S[interval] * NANOS_PER_SECOND >= DAY_NS
    shown = moment(row["ts"], UTC)[:10] if daily else moment(row["ts"], zone)[5:16]
    values = [finite(row[name]) for name in ("open", "high", "low", "close")]
    traded = row["status"] == "traded" and None not in values
    opened, high, low, close = values if traded else [None] * 4
    return Candle(shown, opened, high, low, close, finite(row["volume"]) or 0.0, gap=row["status"] == "gap")


class Places:
    """Where on the chart a moment lies."""

    def __init__(self, starts: Sequence[int], labels: Sequence[str], closes: Sequence[float | None]) -> None:
        self._starts, self._labels, self._closes = starts, labels, closes

    def holds(self, ts: Value) -> bool:
        """Whether it is not before the first bar."""
        return isinstance(ts, int) and ts >= self._starts[0]

    def _index(self, ts: Value) -> int:
        return bisect_right(self._starts, int(str(ts))) - 1

    def fill(self, row: Record, view: View) -> Mark:
        """A fill at its price."""
        steps = view.precision.steps(row["venue"], row["symbol"])
        words = f"{row['side']} {number(row['quantity'], steps.amount)} at {number(row['price'], steps.price)}"
        return Mark(self._labels[self._index(row["ts"])], float(str(row["price"])), str(row["side"]), words)

    def signal(self, row: Record) -> Mark | None:
        """A signal at the last price that was known in its bar; None where none was."""
        index, target = self._index(row["ts"]), float(str(row["target"]))
        close = self._closes[index]
        words = f"{row['strategy']}: {number(target, 2, sign=True)}"
        return None if close is None else Mark(self._labels[index], close, "buy" if target > 0 else "sell", words)
