"""Commands: who ordered what of the trader, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
from markupsafe import Markup

from api.console.live import Panels
from api.console.tables import Col, Form, link, table
from api.console.view import ROOT, View
from api.resource import pattern
from ares.security.access.roles import Permission
from ares.store import Param, Record, Value, load_queries

QUERIES = load_queries("api", "queries/console_commands.sql")
PAGE: Final = 50
PAGES_MAX: Final = 1_000
COMMANDS = (
    Col("ts", "Time", Form.TIME),
    Col("actor", "Who"),
    Col("command", "Ordered", Form.WORD),
    Col("asked", "What"),
    Col("status", "Came of it", Form.STATE),
    Col("order_id", "Order", Form.CODE, "orders/{order_id}"),
    Col("said", "The trader said"),
)


async def build(view: View) -> None:
    """Each command once, as it stands."""
    given = view.query.get("page", "1")
    page = min(int(given), PAGES_MAX) if given.isascii() and given.isdecimal() else 1
    panels = Panels(view)
    panels.add(
        "Commands" if page < 2 else f"Commands, page {page}",
        lambda: _commands(view, max(page, 1)),
        follows=("commands",) if page < 2 else (),
        every_s=15.0 if page < 2 else 600.0,
        size="full",
    )
    await panels.settle()


async def _commands(view: View, page: int) -> Markup:
    caller = await view.caller(Permission.READ_TRADING)
    skip = (page - 1) * PAGE
    asked: dict[str, Param] = {"accounts": pattern(caller.scope.accounts), "skip": skip, "end": skip + PAGE + 1}
    found = await view.house.parts.database.fetch(QUERIES["newest"], asked)
    rows = [told(row) for row in found[:PAGE]]
    ways = Markup("")
    if page > 1:
        ways += link(f"{ROOT}/commands?page={page - 1}", "Newer commands")
    if len(found) > PAGE:
        ways += link(f"{ROOT}/commands?page={page + 1}", "Older commands")
    empty = "Nobody ordered anything of the trader in the last 30 days."
    shown = table("Commands", COMMANDS, rows, view.reader, empty=empty)
    return Markup('{}<p class="ways-on">{}</p>').format(shown, ways) if ways else shown


def told(row: Record) -> Record:
    """A command for people: what was asked and what came of it, in words."""
    asked, came = _object(row["arguments"]), _object(row["outcome"])
    order_id = came.get("order_id") or asked.get("order_id")
    return {
        **row,
        "asked": words_of({name: value for name, value in asked.items() if name != "order_id"}),
        "order_id": str(order_id) if order_id else "",
        "said": str(came["message"]) if "message" in came else words_of(came),
    }


def words_of(given: Mapping[str, object]) -> str:
    """Names and values, without those that say nothing.

    >>> words_of({"side": "buy", "price": None, "reason": "", "orders_left": []})
    'side buy'
    """
    said = {name: value for name, value in given.items() if value not in (None, "", [], {})}
    return ", ".join(f"{name.replace('_', ' ')} {_text(value)}" for name, value in said.items())


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _object(text: Value) -> Mapping[str, object]:
    if not isinstance(text, str) or not text:
        return {}
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {"message": text}
    return found if isinstance(found, dict) else {"message": text}
