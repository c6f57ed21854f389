"""Overview: is trading on, what is it worth, what happened just now."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.console.beats import services_now
from api.console.charts import Ink, lines
from api.console.drawn import Chart
from api.console.live import Panels
from api.console.now import trading_now
from api.console.pages.positions import QUERIES
from api.console.prices import add_prices
from api.console.research import series
from api.console.tables import Col, Form, table
from api.console.view import View
from api.resource import pattern
from ares.security.access.roles import Permission

FILLS = (
    Col("ts", "Time", Form.TIME),
    Col("symbol", "Symbol"),
    Col("side", "Side", Form.SIDE),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("price", "Price", Form.PRICE),
    Col("strategy", "Strategy"),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
)
HELD = (
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("strategy", "Strategy"),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("average_price", "Average", Form.PRICE),
    Col("mark", "Mark", Form.PRICE),
    Col("unrealised_quote", "Unrealised", Form.SIGNED),
    Col("pnl_quote", "Profit", Form.SIGNED),
)
DECIDED = (
    Col("ts", "Time", Form.TIME),
    Col("strategy", "Strategy"),
    Col("symbol", "Symbol"),
    Col("action", "Decision", Form.STATE),
    Col("rule", "Rule", Form.WORD),
    Col("target", "Target", Form.RATIO),
)
RUNS = (
    Col("service", "Service"),
    Col("state", "State", Form.STATE),
    Col("age_s", "Beat", Form.SECONDS),
    Col("detail", "Says"),
)


async def build(view: View) -> None:
    """The first page."""
    panels = Panels(view)
    panels.add("Trading", lambda: trading_now(view), follows=("state", "equity"), every_s=5, size="half")
    add_prices(view, panels)
    chart = Chart("Equity, last day", lambda: _equity(view), "half")
    panels.add("Positions", lambda: _held(view), follows=("positions",), every_s=5)
    panels.add("Newest fills", lambda: _table(view, "fills", "Fills", FILLS), follows=("fills",))
    panels.add("Newest decisions", lambda: _table(view, "decisions", "Decisions", DECIDED), follows=("decisions",))
    if view.may(Permission.READ_OPERATIONS):
        panels.add("Services", lambda: services_now(view, RUNS), follows=("services",), every_s=5)
    chart.join(panels, follows=("equity",))
    await panels.settle()


async def _held(view: View) -> Markup:
    rows = [row for row in await view.rows("pnl", 500) if row["quantity"]]
    return table("Positions", HELD, rows, view.reader, empty="Nothing is held.")


async def _table(view: View, path: str, caption: str, columns: Sequence[Col], limit: int = 12) -> Markup:
    return table(caption, columns, await view.rows(path, limit), view.reader)


async def _equity(view: View) -> dict[str, object]:
    caller = await view.caller(Permission.READ_TRADING)
    rows = await view.house.parts.database.fetch(QUERIES["day"], {"accounts": pattern(caller.scope.accounts)})
    labels, worth = series(rows, ("account",), "worth", view.zone)
    return lines(labels, worth, Ink.of(dark=view.dark)) if rows else {}
