"""Orders that stand, and what people do about them: cancel, amend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from nicegui import ui

from api.commands import AmendBody, ReasonBody
from api.console.act import Action, ask, perform
from api.console.live import Panel
from api.console.outcome import sent
from api.console.trader import body_of, ordered, said_of
from api.console.view import View
from api.resource import within
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES = load_queries("api", "queries/console_orders.sql")
OPEN: Final = frozenset({"INTENDED", "SUBMITTED", "ACCEPTED", "PARTIALLY_FILLED", "UNKNOWN"})


async def open_orders(view: View, **of: str) -> Sequence[Record]:
    """Orders that are not at their end, newest first; `of`: columns that a row must equal. Raises `AccessDenied`,
    `StoreError`.
    """
    caller = await view.caller(Permission.READ_TRADING)
    rows = await view.house.parts.database.fetch(QUERIES["standing"], within(caller.scope))
    return [row for row in rows if all(row[name] == value for name, value in of.items())]


async def cancel(view: View, order_id: str, panel: Panel) -> None:
    """Ask, then let the trader cancel one order; the panel is written again."""

    async def work(caller: Caller, reason: str) -> str:
        said = await ordered(view, caller, "cancel", body_of(ReasonBody, reason=reason), order_id=order_id)
        return f"Order {order_id}: {said_of(said, 'order_state') or said_of(said, 'plan') or 'asked to be cancelled'}."

    action = Action("Cancel order", Permission.TRADE, work, f"Cancel order {order_id}?", grave=True)
    await perform(view, action, panel.wanted.set)


async def cancel_all(view: View, caller: Caller, reason: str) -> str:
    """Let the trader cancel every order but those that protect a position; says what is left."""
    said = await ordered(view, caller, "cancel", body_of(ReasonBody, reason=reason))
    left = said.get("orders_left")
    stays = f" {len(left)} still stand." if isinstance(left, list) and left else ""
    return f"{said_of(said, 'cancels_asked') or '0'} orders were asked to be cancelled.{stays}"


async def amend(view: View, order_id: str, panel: Panel) -> None:
    """Ask what it shall be, then let the trader change it; the panel is written again."""
    wished = await ask("Amend order", f"What shall order {order_id} be? What stays empty stays as it is.", _wish)
    if wished is None:
        return
    quantity, price = wished

    async def work(caller: Caller, reason: str) -> str:
        body = body_of(AmendBody, reason=reason, **{n: v for n, v in (("quantity", quantity), ("price", price)) if v})
        return sent(await ordered(view, caller, "amend", body, order_id=order_id), order_id)

    asks = " and ".join(f"{name} {value}" for name, value in (("quantity", quantity), ("price", price)) if value)
    question = f"Change order {order_id} to {asks}?" if asks else f"Change nothing of order {order_id}?"
    await perform(view, Action("Amend order", Permission.TRADE, work, question), panel.wanted.set)


def _wish() -> Sequence[ui.input]:
    return [ui.input(label).props("outlined dense inputmode=decimal maxlength=40") for label in ("Quantity", "Price")]
