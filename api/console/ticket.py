"""The order ticket: what every risk rule says first, then the order, asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast
from urllib.parse import urlencode
from uuid import uuid4

from markupsafe import Markup
from nicegui import ui

from api.commands import OrderBody
from api.console.act import Action, button, refused, tell
from api.console.bounds import figure_of
from api.console.formats import duration, share
from api.console.live import section
from api.console.outcome import order_words, sent, warned
from api.console.tables import Col, Form, Reader, badge, facts, link, table
from api.console.trader import body_of, ordered, reason_of, said_of
from api.console.view import ROOT, View
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
    """One order that is being thought of. Its key stays until it was answered, so that sent twice it is one order."""

    def __init__(self, view: View, symbol: str) -> None:
        self._view = view
        self._symbol = symbol
        self._key = uuid4().hex
        self._wish: OrderBody | None = None
        self._side = ui.toggle(["buy", "sell"], value="buy", on_change=self._changed)
        self._side.props('no-caps unelevated aria-label="Side"')
        self._quantity = self._figure("Quantity")
        self._price = self._figure("Price (empty: at the market)")
        with ui.element("div").classes("row-of"):
            ui.button("Preview", on_click=self._preview).props("no-caps outline").classes("quiet")
            button(view, Action("Place order", Permission.TRADE, self._place, self._question, grave=True))
        self._said = ui.html("", sanitize=False).props('aria-live="polite"')

    def _figure(self, label: str) -> ui.input:
        field = ui.input(label, on_change=self._changed)
        return field.props("outlined dense inputmode=decimal maxlength=40")

    def _typed(self) -> OrderBody:
        """Raises `UsageError`."""
        price = str(self._price.value or "")
        return body_of(
            OrderBody,
            symbol=self._symbol,
            side=str(self._side.value),
            quantity=str(self._quantity.value or ""),
            **({"price": price} if price.strip() else {}),
        )

    async def _preview(self) -> None:
        try:
            caller, wish = await self._view.caller(Permission.TRADE), self._typed()
            found = await ordered(self._view, caller, "preview", wish)
        except AccessDenied as error:
            refused(error)
        except AresError as error:
            tell(str(error), good=False)
        else:
            self._said.set_content(previewed(found, self._view.reader))

    def _question(self) -> str:
        """What is asked before it is sent. That, and nothing that is typed afterwards, is then sent."""
        self._wish = self._typed()
        trading = self._view.house.parts.config().trading
        words = order_words(self._wish)
        return f"{words[:1].upper()}{words[1:]}, on {trading.venue}, for account {trading.account}?"

    async def _place(self, caller: Caller, reason: str) -> str:
        assert self._wish is not None, "it was asked for before"
        said = await ordered(self._view, caller, "order", self._wish, id=self._key, reason=reason_of(reason))
        self._key = uuid4().hex
        self._changed()
        return sent(said)

    def _changed(self) -> None:
        """What was said was of another order."""
        self._said.set_content("")


def add_ticket(view: View, venue: str, symbol: str) -> None:
    """The panel with a ticket for an instrument; where orders do not go to its venue, it says where they go."""
    trading = view.house.parts.config().trading
    with section(f"Order {symbol}", "third"), ui.element("div").classes("ticket"):
        if venue == trading.venue:
            Ticket(view, symbol)
            return
        where = link(f"{ROOT}/market?{urlencode({'venue': trading.venue, 'symbol': symbol})}", f"its {symbol}")
        words = Markup('<p class="empty">Orders go to {}, not to {}: see {}.</p>').format(trading.venue, venue, where)
        ui.html(words, sanitize=False)


def previewed(found: Mapping[str, Json], reader: Reader) -> Markup:
    """What the trader says of an order that it was not asked to send."""
    busy = found.get("order_under_way")
    would = Markup("would be sent") if found.get("would_send") else Markup("would not be sent")
    scale = said_of(found, "limit_scale")
    figures = facts(
        [
            ("It", Markup("{} {}").format(badge("ok" if found.get("would_send") else "refused"), would)),
            ("Trading is", badge(said_of(found, "state"))),
            ("Cost", said_of(found, "cost_quote")),
            ("Cost at worst", said_of(found, "cost_quote_worst")),
            ("Fee, about", said_of(found, "fee_quote")),
            ("Mark", f"{said_of(found, 'mark')}, {duration(figure_of(found.get('quote_age_s')))} old"),
            *([] if scale in ("", "1") else [("Limits are drawn in to", share(figure_of(scale), 0))]),
        ]
    )
    waits = Markup("<p>Order <code>{}</code> is under way.</p>").format(busy) if busy else Markup("")
    warnings = Markup("").join(Markup('<p class="failed">{}</p>').format(each) for each in warned(found))
    rules = cast("Sequence[Record]", found.get("rules") or [])
    return Markup("{}{}{}{}").format(figures, waits, warnings, table("Rules", RULES, rules, reader))
