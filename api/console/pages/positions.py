"""Positions and profit: what is held, what came of it by strategy and by day, what accounts are worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC

from markupsafe import Markup

from api.console.charts import Ink, equity
from api.console.drawn import Chart
from api.console.formats import moment
from api.console.live import Panels
from api.console.tables import Col, Form, table
from api.console.view import View
from api.resource import pattern, within
from ares.security.access.roles import Permission
from ares.store import Record, load_queries
from ares.store.pool import as_int

QUERIES = load_queries("api", "queries/console_positions.sql")
FIGURES = ("realised_quote", "unrealised_quote", "funding_quote", "pnl_quote", "fees_quote")
_PROFIT = (
    Col("unrealised_quote", "Unrealised", Form.SIGNED),
    Col("realised_quote", "Realised", Form.SIGNED),
    Col("funding_quote", "Funding", Form.SIGNED),
    Col("pnl_quote", "Profit", Form.SIGNED),
    Col("fees_quote", "Fees in it", Form.MONEY),
)
HELD = (
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("strategy", "Strategy", link="strategies/{strategy}"),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("average_price", "Average", Form.PRICE),
    Col("mark", "Mark", Form.PRICE),
    Col("held_quote", "At mark", Form.MONEY),
    *_PROFIT,
)
BY_STRATEGY = (
    Col("account", "Account"),
    Col("strategy", "Strategy", link="strategies/{strategy}"),
    Col("held_quote", "Held, at mark", Form.MONEY),
    *_PROFIT,
)
BALANCES = (
    Col("currency", "Currency"),
    Col("free", "Free", Form.AMOUNT),
    Col("locked", "In orders", Form.AMOUNT),
    Col("account", "Account"),
    Col("venue", "Venue"),
    Col("ts", "Said", Form.TIME),
)
DAYS = (
    Col("day", "Day (UTC)"),
    Col("account", "Account"),
    Col("day_pnl_quote", "Profit", Form.SIGNED),
    Col("equity_quote", "Worth at its end", Form.MONEY),
    Col("quote_currency", "In"),
    Col("fills", "Fills", Form.WHOLE),
    Col("turnover_quote", "Turnover", Form.MONEY),
    Col("fees_quote", "Fees", Form.MONEY),
)


async def build(view: View) -> None:
    """What is held first: it moves with every quote."""
    panels = Panels(view)
    panels.add("Held now", lambda: _held(view), follows=("pnl",), every_s=5, size="full")
    panels.add("By strategy", lambda: _by_strategy(view), follows=("positions",), every_s=5, size="full")
    chart = Chart("Worth, last seven days", lambda: _worth(view), "full", empty="No account was worth anything yet.")
    chart.join(panels, follows=("equity",), every_s=60)
    panels.add("Profit by day", lambda: _days(view), every_s=60)
    panels.add("Balances", lambda: _balances(view), every_s=15)
    await panels.settle()


async def _held(view: View) -> Markup:
    rows = [at_mark(row) for row in await view.rows("pnl", 1_000) if row["quantity"]]
    return table("Positions", HELD, rows, view.reader, empty="Nothing is held.")


async def _by_strategy(view: View) -> Markup:
    rows = totals([at_mark(row) for row in await view.rows("pnl", 1_000)])
    return table("Profit by strategy", BY_STRATEGY, rows, view.reader, empty="No strategy has traded yet.")


def at_mark(row: Record) -> Record:
    """A position with what it is worth now; at its cost where nothing is quoted."""
    price = row["mark"] if row["mark"] is not None else row["average_price"]
    return {**row, "held_quote": None if price is None else float(str(row["quantity"])) * float(str(price))}


def totals(rows: Sequence[Record]) -> list[Record]:
    """What each strategy holds and made, over all its symbols. What is not known counts as nothing."""
    names = (*FIGURES, "held_quote")
    sums: dict[tuple[str, str], dict[str, float]] = defaultdict(lambda: dict.fromkeys(names, 0.0))
    for row in rows:
        mine = sums[str(row["account"]), str(row["strategy"])]
        for name in names:
            value = row[name]
            mine[name] += value if isinstance(value, float) and value == value else 0.0  # noqa: PLR0124 - NaN is not itself
    return [{"account": account, "strategy": strategy, **mine} for (account, strategy), mine in sorted(sums.items())]


async def _balances(view: View) -> Markup:
    rows = [row for row in await view.rows("balances", 500) if row["free"] or row["locked"]]
    return table("Balances", BALANCES, rows, view.reader, empty="No venue has said what an account has.")


async def _days(view: View) -> Markup:
    caller = await view.caller(Permission.READ_TRADING)
    database, asked = view.house.parts.database, within(caller.scope)
    days = await database.fetch(QUERIES["days"], {"accounts": asked["accounts"]})
    traded = {(row["ts"], row["account"]): row for row in await database.fetch(QUERIES["traded"], asked)}
    nothing: Record = {"fills": 0, "fees_quote": 0.0, "turnover_quote": 0.0}
    rows: list[Record] = [
        {**nothing, **traded.get((row["ts"], row["account"]), {}), **row, "day": _day(row)} for row in days
    ]
    return table("Profit by day", DAYS, rows, view.reader, empty="No account was worth anything yet.")


def _day(row: Record) -> str:
    return moment(row["ts"], UTC)[:10]


async def _worth(view: View) -> dict[str, object]:
    caller = await view.caller(Permission.READ_TRADING)
    asked = {"accounts": pattern(caller.scope.accounts)}
    rows = await view.house.parts.database.fetch(QUERIES["worth"], asked)
    if not rows:
        return {}
    moments = sorted({as_int(row["ts"]) for row in rows})
    labels = [moment(each, view.zone)[5:16] for each in moments]
    worth: dict[str, list[float | None]] = {}
    fell: dict[str, list[float | None]] = {}
    for account in sorted({str(row["account"]) for row in rows}):
        mine = [row for row in rows if row["account"] == account]
        at = {as_int(row["ts"]): float(str(row["worth"])) for row in mine}
        fall = dict(zip(at, drawdowns(mine), strict=True))
        worth[f"{account}, {mine[0]['quote_currency']}"] = [at.get(each) for each in moments]
        fell[f"{account}, drawdown"] = [fall.get(each) for each in moments]
    return equity(labels, worth, fell, Ink.of(dark=view.dark))


def drawdowns(rows: Sequence[Record]) -> list[float]:
    """By how much the profit lay below its best so far, in per cent of the worth at that best; 0 or less.

    >>> drawdowns([{"worth": 110.0, "profit": 10.0, "best": 10.0}, {"worth": 99.0, "profit": -1.0, "best": 10.0}])
    [0.0, -10.0]
    """
    found: list[float] = []
    best = float("-inf")
    for row in rows:
        profit, worth = float(str(row["profit"])), float(str(row["worth"]))
        best = max(best, float(str(row["best"])), profit)
        fall = best - profit
        found.append(0.0 if not fall or worth + fall <= 0 else -fall / (worth + fall) * 100)
    return found
