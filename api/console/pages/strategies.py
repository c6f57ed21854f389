"""Strategies: what is traded and how it goes, and what all signals want."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup

from api.console.live import Panels
from api.console.research import ask
from api.console.tables import Col, Form, table
from api.console.view import View
from api.resource import pattern
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES: Final = load_queries("api", "queries/console_strategies.sql")
PAUSED: Final = "paused"
_STREAM: Final = "strategy_pause/"
TRADED: Final = (
    Col("strategy", "Strategy", link="strategies/{strategy}"),
    Col("version", "Version", Form.WHOLE),
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("state", "State", Form.STATE),
    Col("action", "Decision", Form.STATE),
    Col("why", "Why", Form.WORD),
    Col("target", "Target", Form.RATIO),
    Col("quantity", "Holds", Form.AMOUNT),
    Col("pnl_quote", "Profit", Form.SIGNED),
    Col("ts", "Decided", Form.TIME),
)
WANTED: Final = (
    Col("strategy", "Strategy", link="strategies/{strategy}"),
    Col("version", "Version", Form.WHOLE),
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("target", "Target", Form.RATIO),
    Col("confidence", "Confidence", Form.RATIO),
    Col("model_version", "Model"),
    Col("ts", "Bar", Form.TIME),
    Col("known_at", "Known", Form.TIME),
)


async def build(view: View) -> None:
    """All of them."""
    panels = Panels(view)
    panels.add(
        "Traded", lambda: _traded(view), follows=("decisions", "pnl", "state", "commands"), every_s=10, size="full"
    )
    if view.may(Permission.READ_RESEARCH):
        panels.add("What signals want", lambda: _wanted(view), follows=("signals",), every_s=20, size="full")
    await panels.settle()


async def _traded(view: View) -> Markup:
    rows = traded(await view.rows("strategies", 1_000), await view.rows("pnl", 1_000), await pauses(view))
    return table("Strategies", TRADED, rows, view.reader, empty="No strategy has decided anything in the last week.")


async def _wanted(view: View) -> Markup:
    strategies = pattern((await view.caller()).scope.strategies)
    rows = await ask(view, Permission.READ_RESEARCH, QUERIES["newest"], strategies=strategies)
    return table("Signals", WANTED, rows, view.reader, empty="No signal was written in the last three hours.")


async def pauses(view: View) -> Mapping[tuple[str, str], Record]:
    """The strategies that rest, by account and name, with who let them and why."""
    caller = await view.caller(Permission.READ_TRADING)
    resting = paused(await view.house.parts.database.fetch(QUERIES["pauses"]))
    return {key: row for key, row in resting.items() if caller.scope.covers(account=key[0], strategy=key[1])}


def paused(rows: Sequence[Record]) -> Mapping[tuple[str, str], Record]:
    """Of what was said last of each, those that rest."""
    return {
        (str(row["stream"]).removeprefix(_STREAM), str(row["strategy"])): row for row in rows if row["type"] == PAUSED
    }


def traded(
    decided: Sequence[Record], profits: Sequence[Record], resting: Mapping[tuple[str, str], Record]
) -> list[Record]:
    """The newest decisions with what is held, what was earned, and whether the strategy rests."""
    of = {(row["account"], row["strategy"], row["venue"], row["symbol"]): row for row in profits}
    rows = []
    for row in decided:
        earned = of.get((row["account"], row["strategy"], row["venue"], row["symbol"]), {})
        rests = (str(row["account"]), str(row["strategy"])) in resting
        rows.append(
            {
                **row,
                "state": PAUSED if rests else row["state"],
                "why": row["rule"] or row["reason"],
                "quantity": earned.get("quantity", row["quantity"]),
                "pnl_quote": earned.get("pnl_quote"),
            }
        )
    return rows
