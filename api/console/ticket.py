"""The order ticket: what every risk rule says first, then the order, asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from api.commands import OrderBody
from api.console.act import Action, button, refused, tell
from api.console.live import section
from api.console.tables import Col, Form, Reader, badge, facts, table
from api.console.trader import body_of, ordered
from api.console.view import View
from ares.control import Json
from ares.errors import AccessDenied, AresError
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Record

RULES = (
    Col("rule", "Rule", Form.WORD),
    Col("verdict", "Says", Form.STATE),
    Col("observed", "Observed"),
    Col("limit", "Limit"),
    Col("unit", "Unit"),
)


class Ticket:
    """One order that is being thought of. Its key stays while it does, so that sent twice it is one order."""

    def __init__(self, view: View, symbol: str) -> None:
        self._view = view
        self._symbol = symbol
        self._key = uuid4().hex
        self._side = ui.toggle(["buy", "sell"], value="buy").props('no-caps unelevated aria-label="Side"')
        self._quantity = ui.input("Quantity").props("outlined dense inputmode=decimal maxlength=40")
        self._price = ui.input("Price (empty: at the market)").props("outlined dense inputmode=decimal maxlength=40")
        with ui.element("div").classes("row-of"):
            ui.button("Preview", on_click=self._preview).props("no-caps outline").classes("quiet")
            place = Action("Place order", Permission.TRADE, self._place, "Place this order?", grave=True)
            button(view, place, done=self._new)
        self._said = ui.html("", sanitize=False).props('aria-live="polite"')

    async def _order(self, verb: str, caller: Caller, **more: str) -> Mapping[str, Json]:
        price = str(self._price.value or "")
        body = body_of(
            OrderBody,
            symbol=self._symbol,
            side=str(self._side.value),
            quantity=str(self._quantity.value or ""),
            **({"price": price} if price.strip() else {}),
        )
        return await ordered(self._view, caller, verb, body, **more)

    async def _preview(self) -> None:
        try:
            found = await self._order("preview", await self._view.caller(Permission.TRADE))
        except AccessDenied as error:
            refused(error)
        except AresError as error:
            tell(str(error), good=False)
        else:
            self._said.set_content(previewed(found, self._view.reader))

    async def _place(self, caller: Caller, reason: str) -> str:
        said = await self._order("order", caller, id=self._key, reason=reason)
        state = str(said.get("state", ""))
        words = f"Order {said.get('order_id', '')}: {state or said.get('action', 'sent')}"
        why = str(said.get("reason") or "")
        return f"{words}. {why}" if why else f"{words}."

    def _new(self) -> None:
        self._key = uuid4().hex
        self._said.set_content("")


def add_ticket(view: View, symbol: str) -> None:
    """The panel with a ticket for an instrument."""
    with section(f"Order {symbol}", "third"), ui.element("div").classes("ticket"):
        Ticket(view, symbol)


def previewed(found: Mapping[str, Json], reader: Reader) -> Markup:
    """What the trader says of an order that it was not asked to send."""
    busy = found.get("order_under_way")
    would = Markup("would be sent") if found.get("would_send") else Markup("would not be sent")
    figures = facts(
        [
            ("It", Markup("{} {}").format(badge("ok" if found.get("would_send") else "refused"), would)),
            ("Cost", str(found.get("cost_quote", ""))),
            ("Cost at worst", str(found.get("cost_quote_worst", ""))),
            ("Fee, about", str(found.get("fee_quote", ""))),
            ("Mark", str(found.get("mark", ""))),
        ]
    )
    waits = Markup("<p>Order <code>{}</code> is under way.</p>").format(busy) if busy else Markup("")
    warnings = found.get("warnings")
    warned = Markup("").join(
        Markup('<p class="failed">{}</p>').format(each) for each in (warnings if isinstance(warnings, list) else [])
    )
    rules = cast("Sequence[Record]", found.get("rules") or [])
    return Markup("{}{}{}{}").format(figures, waits, warned, table("Rules", RULES, rules, reader))
