"""Overview: is trading on, what is it worth, what happened just now."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from api.console.charts import Ink, lines
from api.console.drawn import Chart
from api.console.formats import moment, number
from api.console.live import Panels
from api.console.prices import add_prices
from api.console.tables import Col, Form, badge, facts, nothing, signed, table
from api.console.view import View
from ares.security.access.roles import Permission
from ares.store import Record

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
    Col("ts", "Beat", Form.TIME),
    Col("detail", "Says"),
)
POINTS = 500


async def build(view: View) -> None:
    """The first page."""
    panels = Panels(view)
    panels.add("Trading", lambda: _trading(view), follows=("state", "equity"), every_s=5, size="half")
    add_prices(view, panels)
    chart = Chart("Equity, last day", lambda: _equity(view), "half")
    panels.add("Positions", lambda: _held(view), follows=("positions",), every_s=5)
    panels.add("Newest fills", lambda: _table(view, "fills", "Fills", FILLS), follows=("fills",))
    panels.add("Newest decisions", lambda: _table(view, "decisions", "Decisions", DECIDED), follows=("decisions",))
    if view.may(Permission.READ_OPERATIONS):
        panels.add("Services", lambda: _table(view, "services", "Services", RUNS, 50), follows=("services",))
    chart.join(panels, follows=("equity",))
    await panels.settle()


async def _trading(view: View) -> Markup:
    states = await view.rows("trading-state", 1)
    equity = await view.rows("equity", 1)
    return trading(states, equity, view)


def trading(states: Sequence[Record], equity: Sequence[Record], view: View) -> Markup:
    """Whether trading is on, and what the account is worth."""
    if not states and not equity:
        return nothing("No trader has run here yet.")
    shown: list[tuple[str, str | Markup]] = []
    if states:
        newest = states[0]
        why = f"{newest['actor']}: {newest['reason']}" if newest["reason"] else str(newest["actor"])
        since = moment(newest["ts"], view.zone, now_ns=view.house.parts.clock.now_ns())
        shown += [("State", badge(str(newest["state"]))), ("Since", since), ("By", why)]
    if equity:
        shown += _worth(equity[0])
    return facts(shown)


def _worth(row: Record) -> list[tuple[str, str | Markup]]:
    quote = str(row["quote_currency"])
    return [
        (f"Equity, {quote}", number(row["equity_quote"], 2)),
        ("Today", signed(row["day_pnl_quote"])),
        ("At risk", number(row["gross_exposure_quote"], 2)),
        ("Cash", number(row["cash"], 2)),
    ]


async def _held(view: View) -> Markup:
    rows = [row for row in await view.rows("pnl", 500) if row["quantity"]]
    return table("Positions", HELD, rows, view.reader, empty="Nothing is held.")


async def _table(view: View, path: str, caption: str, columns: Sequence[Col], limit: int = 12) -> Markup:
    return table(caption, columns, await view.rows(path, limit), view.reader)


async def _equity(view: View) -> dict[str, object]:
    found = list(reversed(await view.rows("equity", 10_000)))
    rows = found[:: max(1, len(found) // POINTS)]
    accounts = sorted({str(row["account"]) for row in rows})
    labels = [moment(row["ts"], view.zone)[5:16] for row in rows]
    series = {
        account: [float(str(row["equity_quote"])) if row["account"] == account else None for row in rows]
        for account in accounts
    }
    return lines(labels, series, Ink.of(dark=view.dark)) if rows else {}
