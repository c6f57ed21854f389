"""Features: what each is, in which unit, and the newest value of it that was frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup
from nicegui import events, ui

from api.console.live import Panels, section
from api.console.research import ask, comments
from api.console.tables import Col, Form, table
from api.console.view import View
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES: Final = load_queries("api", "queries/console_features.sql")
SHOWN: Final = 400
VALUES: Final = (
    Col("view", "Feature", link="data/lineage?name={view}"),
    Col("venue", "Venue"),
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("value", "Value", Form.FIGURE),
    Col("unit", "Unit"),
    Col("ts", "Bar", Form.TIME),
    Col("known_at", "Known", Form.TIME),
    Col("revision", "Revision", Form.WHOLE),
    Col("known_at_kind", "Known by"),
    Col("words", "What it is"),
)


async def build(view: View) -> None:
    """All of them, or those that hold a word."""
    panels = Panels(view)
    units: dict[str, str] = {}
    asked = {"search": view.query.get("search", "")}

    def search(event: events.ValueChangeEventArguments[str | None]) -> None:
        asked["search"] = event.value or ""
        values.wanted.set()

    with section("Frozen values", "full") as box:
        ui.input("Search features", value=asked["search"], on_change=search).props(
            "outlined dense debounce=300 maxlength=100 type=search"
        ).classes("instrument")
    values = panels.join(box, lambda: _values(view, units, asked["search"]), (), 20)
    await panels.settle()


async def _values(view: View, units: dict[str, str], search: str) -> Markup:
    if not units and view.may(Permission.READ_MARKET):
        units.update(units_of(await view.rows("columns", 10_000)))
    rows = await ask(view, Permission.READ_RESEARCH, QUERIES["newest"])
    found = matching([described(row, units) for row in rows], search)
    empty = f'No feature has "{search}" in its name, unit or words.' if search else "Nothing was frozen in three hours."
    told = Markup("<p>{} of {} values.</p>").format(min(SHOWN, len(found)), len(found)) if found else Markup("")
    return Markup("{}{}").format(told, table("Features", VALUES, found[:SHOWN], view.reader, empty=empty))


def units_of(columns: Sequence[Record]) -> Mapping[str, str]:
    """The unit of each view's value, by the data catalogue."""
    return {str(row["table_name"]): str(row["unit"] or "") for row in columns if row["column_name"] == "value"}


def described(row: Record, units: Mapping[str, str]) -> Record:
    """A value with the view that defines it, its unit and what it is."""
    view = f"{row['name']}_v{row['version']}"
    words = comments().get(view, "").removeprefix(f"{view}: ").partition(". ")[0]
    return {**row, "view": view, "unit": units.get(view, ""), "words": words}


def matching(rows: Sequence[Record], search: str) -> list[Record]:
    """Those that have every word of a search in their name, symbol, unit or words."""
    wanted = search.lower().split()
    names = ("view", "symbol", "unit", "words")
    return [row for row in rows if all(word in " ".join(str(row[name]) for name in names).lower() for word in wanted)]
