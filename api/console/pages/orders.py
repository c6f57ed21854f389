"""Orders: those that stand, with what can be done about them; all there were, and their fills, page by page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup
from nicegui import ui

from api.console.act import Action, button
from api.console.deeds import deed, listen
from api.console.filters import Filter, form
from api.console.formats import number
from api.console.live import Panel, Panels, section
from api.console.standing import OPEN, amend, cancel, cancel_all, open_orders
from api.console.tables import Col, Form, link, table
from api.console.view import ROOT, View
from ares.model.strategies import MANUAL
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Record

PAGE: Final = 30
STATES: Final = (*sorted(OPEN), "CANCELED", "EXPIRED", "FILLED", "REJECTED")
FILTERS: Final = ("strategy", "symbol", "state")
OLDER: Final = {"orders": "orders_at", "fills": "fills_at"}
"""Under which name the address holds the place in each list."""
_WHAT = (
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("side", "Side", Form.SIDE),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("price", "Price", Form.PRICE),
)
STANDING = (
    Col("ts", "Time", Form.TIME),
    *_WHAT,
    Col("stop_price", "Stop", Form.PRICE),
    Col("type", "Type"),
    Col("filled_quantity", "Filled", Form.AMOUNT),
    Col("state", "State", Form.STATE),
    Col("strategy", "Strategy"),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
    Col("deeds", "", Form.HTML),
)
ORDERS = (
    Col("ts", "Time", Form.TIME),
    *_WHAT,
    Col("filled_quantity", "Filled", Form.AMOUNT),
    Col("average", "At", Form.PRICE),
    Col("state", "State", Form.STATE),
    Col("type", "Type"),
    Col("strategy", "Strategy"),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
    Col("reason", "Reason"),
)
FILLS = (
    Col("ts", "Time", Form.TIME),
    *_WHAT,
    Col("cost", "Cost", Form.MONEY),
    Col("fee_quote", "Fee, in quote", Form.RATIO),
    Col("liquidity", "Liquidity"),
    Col("strategy", "Strategy"),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
)


async def build(view: View) -> None:
    """Older pages stay as they are; the newest follows what happens."""
    panels = Panels(view)
    asked = {name: view.query.get(name, "") for name in (*FILTERS, *OLDER.values())}
    box = section("What stands", "full")
    standing = panels.join(box, lambda: _standing(view), ("orders",), 10.0)
    standing.html.classes("filled")
    if view.may(Permission.TRADE):
        _deeds(view, box, standing)
    with section("Look for", "full"):
        ui.html(_look_for(view, asked), sanitize=False)
    _pages(view, panels, "orders", ORDERS, asked)
    _pages(view, panels, "fills", FILLS, asked)
    await panels.settle()


def _deeds(view: View, box: ui.element, standing: Panel) -> None:
    async def work(caller: Caller, reason: str) -> str:
        return await cancel_all(view, caller, reason)

    async def take(word: str, order_id: str) -> None:
        if word in _DEEDS:
            await _DEEDS[word](view, order_id, standing)

    question = "Cancel every order that stands, but for those that protect a position?"
    with box:
        everything = Action("Cancel all", Permission.TRADE, work, question, grave=True)
        button(view, everything, done=standing.wanted.set)
    listen(standing.html, take)


_DEEDS = {"cancel": cancel, "amend": amend}


async def _standing(view: View) -> Markup:
    may = view.may(Permission.TRADE)
    rows = [{**row, "deeds": _buttons(row, view) if may else ""} for row in await open_orders(view)]
    columns = STANDING if may else STANDING[:-1]
    return table("Orders that stand", columns, rows, view.reader, empty="No order stands.")


def _buttons(row: Record, view: View) -> Markup:
    steps = view.precision.steps(row["venue"], row["symbol"])
    order_id = str(row["order_id"])
    about = f"{row['side']} {number(row['quantity'], steps.amount)} {row['symbol']}, order {order_id}"
    return Markup("{} {}").format(deed("cancel", order_id, "Cancel", about), deed("amend", order_id, "Amend …", about))


def _look_for(view: View, asked: Mapping[str, str]) -> Markup:
    known = {each.name for each in view.house.parts.config().trading.strategies} | {MANUAL}
    names = {name for name in known if view.known.scope.covers(strategy=name)} | {asked["strategy"]}
    fields = (
        Filter("strategy", "Strategy", sorted(names - {""})),
        Filter("symbol", "Symbol"),
        Filter("state", "State", STATES),
    )
    every = link(f"{ROOT}/orders", "All") if any(asked[name] for name in FILTERS) else Markup("")
    return form("orders", fields, asked) + every


def _pages(view: View, panels: Panels, path: str, columns: Sequence[Col], asked: Mapping[str, str]) -> None:
    at = asked[OLDER[path]]

    async def load() -> Markup:
        filters = {name: asked[name] for name in FILTERS if path == "orders" or name != "state"}
        page = await view.page(path, PAGE, **filters, **({"cursor": at} if at else {}))
        rows = [{**row, "average": average(row)} for row in page.rows] if path == "orders" else page.rows
        shown = table(path.capitalize(), columns, rows, view.reader, empty=f"No {path} of that kind.")
        return Markup("{}{}").format(shown, _ways(path, asked, page.following))

    title = f"{path.capitalize()}{', older' if at else ''}"
    panels.add(title, load, follows=() if at else (path,), every_s=600.0 if at else 15.0, size="full")


def _ways(path: str, asked: Mapping[str, str], following: str) -> Markup:
    """To older rows, and back to the newest."""
    ways = Markup("")
    kept = {name: value for name, value in asked.items() if value and name != OLDER[path]}
    if asked[OLDER[path]]:
        ways += link(f"{ROOT}/orders?{urlencode(kept)}", f"Newest {path}")
    if following:
        ways += link(f"{ROOT}/orders?{urlencode({**kept, OLDER[path]: following})}", f"Older {path}")
    return Markup('<p class="ways-on">{}</p>').format(ways) if ways else ways


def average(row: Record) -> float | None:
    """What an order was executed at, in quote; None: nothing was.

    >>> average({"filled_cost": 20.0, "filled_quantity": 2.0}), average({"filled_cost": 0, "filled_quantity": 0})
    (10.0, None)
    """
    quantity = float(str(row["filled_quantity"] or 0))
    return float(str(row["filled_cost"] or 0)) / quantity if quantity else None
