"""One strategy: what it wants, decided, was refused, holds and earned; its backtests and parity; the text it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup
from nicegui import ui

from api.commands import ReasonBody
from api.console import launch
from api.console.act import Action, button
from api.console.charts import Ink, lines
from api.console.drawn import Chart
from api.console.errands import add_errands
from api.console.formats import moment, number
from api.console.live import Panels, section
from api.console.pages.strategies import PAUSED, QUERIES, pauses
from api.console.research import ask, named, series, text_of_view
from api.console.tables import Col, Form, badge, facts, link, nothing, signed, table
from api.console.trader import body_of, ordered
from api.console.view import ROOT, View
from api.resource import pattern
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Record

SIGNALS: Final = (
    Col("ts", "Bar", Form.TIME),
    Col("symbol", "Symbol"),
    Col("version", "Version", Form.WHOLE),
    Col("target", "Target", Form.RATIO),
    Col("confidence", "Confidence", Form.RATIO),
    Col("model_version", "Model"),
    Col("known_at", "Known", Form.TIME),
)
DECISIONS: Final = (
    Col("ts", "Time", Form.TIME),
    Col("symbol", "Symbol"),
    Col("action", "Decision", Form.STATE),
    Col("why", "Why", Form.WORD),
    Col("target", "Target", Form.RATIO),
    Col("quantity", "Held", Form.AMOUNT),
    Col("target_quantity", "Wanted", Form.AMOUNT),
    Col("observed", "Observed"),
    Col("limit_value", "Limit"),
    Col("unit", "Unit"),
)
TALLY: Final = (
    Col("action", "Decision", Form.STATE),
    Col("rule", "Rule", Form.WORD),
    Col("reason", "Reason", Form.WORD),
    Col("times", "Times", Form.WHOLE),
    Col("ts", "Newest", Form.TIME),
)
HELD: Final = (
    Col("account", "Account"),
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("quantity", "Quantity", Form.AMOUNT),
    Col("average_price", "Average", Form.PRICE),
    Col("mark", "Mark", Form.PRICE),
    Col("realised_quote", "Realised", Form.SIGNED),
    Col("unrealised_quote", "Unrealised", Form.SIGNED),
    Col("fees_quote", "Fees", Form.MONEY),
    Col("pnl_quote", "Profit", Form.SIGNED),
)
TESTS: Final = (
    Col("ts", "Ended", Form.TIME),
    Col("tier", "Tier", Form.WORD),
    Col("status", "Status", Form.STATE),
    Col("version", "Version", Form.WHOLE),
    Col("symbols", "Symbols"),
    Col("from_ts", "From", Form.TIME),
    Col("to_ts", "To", Form.TIME),
    Col("return_share", "Return", Form.SHARE),
    Col("pnl_quote", "Profit", Form.SIGNED),
    Col("sharpe", "Sharpe", Form.RATIO),
    Col("sortino", "Sortino", Form.RATIO),
    Col("drawdown_share_max", "Drawdown", Form.SHARE),
    Col("win_share", "Won", Form.SHARE),
    Col("profit_factor", "Profit factor", Form.RATIO),
    Col("trades", "Trades", Form.WHOLE),
    Col("fees_quote", "Fees", Form.MONEY),
    Col("refused", "Refused", Form.WHOLE),
    Col("reason", "Says"),
    Col("run_id", "Run", Form.CODE),
)
COMPARED: Final = (
    Col("ts", "Bar", Form.TIME),
    Col("symbol", "Symbol"),
    Col("says", "Live and replay", Form.STATE),
    Col("cause", "Cause", Form.WORD),
    Col("live", "Live", Form.CODE),
    Col("replayed", "Replayed", Form.CODE),
    Col("compared_at", "Compared", Form.TIME),
)


async def build(view: View) -> None:
    """The strategy of the path."""
    name = named(view.query["name"])
    if not name:
        with section("No such strategy", "full"):
            ui.html(nothing("Its name can hold letters, digits and _ . : @ -"), sanitize=False)
        return
    if not view.known.scope.covers(strategy=name):
        with section(name, "full"):
            ui.html(nothing("It is beyond what you are confined to."), sanitize=False)
        return
    panels = Panels(view)
    with section(name, "half") as box:
        buttons = _Steering(view, name)
    panels.join(box, lambda: _now(view, name, buttons), ("decisions", "pnl", "commands", "state"), 10)
    panels.add("Positions and profit", lambda: _held(view, name), follows=("pnl",), every_s=10)
    if view.may(Permission.READ_RESEARCH):
        chart = Chart("Target, last day", lambda: _targets(view, name), "full", empty="No signal in the last day.")
        chart.join(panels, follows=("signals",))
        panels.add("Newest signals", lambda: _signals(view, name), follows=("signals",))
    panels.add("Decisions of the last day by rule and reason", lambda: _tally(view, name), follows=("decisions",))
    panels.add("Newest decisions", lambda: _decided(view, name), follows=("decisions",), size="full")
    if view.may(Permission.READ_RESEARCH):
        launch.backtest(view, name)
        add_errands(view, panels, "Backtests that were asked for", "backtest", about=name)
        panels.add("Backtests", lambda: _tests(view, name), size="full")
    panels.add("Live beside a replay", lambda: _parity(view, name), every_s=60, size="full")
    if view.may(Permission.READ_RESEARCH):
        panels.add("The view that it is", lambda: _source(view, name), every_s=60, size="full")
    await panels.settle()


class _Steering:
    """Letting it rest, and letting it trade again: of both the one that would change something is shown."""

    def __init__(self, view: View, name: str) -> None:
        self._view, self._name = view, name
        rest = Action("Pause", Permission.STEER_STRATEGIES, self._pause, f"Let {name} rest? It decides nothing.")
        wake = Action("Resume", Permission.RESUME, self._resume, f"Let {name} trade again?", grave=True)
        with ui.element("div").classes("row-of"):
            self._rest, self._wake = button(view, rest), button(view, wake)
        self.show(resting=False)

    def show(self, *, resting: bool) -> None:
        """Whether it rests now."""
        self._rest.set_visibility(not resting and self._view.may(Permission.STEER_STRATEGIES))
        self._wake.set_visibility(resting and self._view.may(Permission.RESUME))

    async def _pause(self, caller: Caller, reason: str) -> str:
        return await self._order("pause", caller, reason, "rests now", "rested already")

    async def _resume(self, caller: Caller, reason: str) -> str:
        return await self._order("resume", caller, reason, "trades again", "was not resting")

    async def _order(self, verb: str, caller: Caller, reason: str, done: str, before: str) -> str:
        body = body_of(ReasonBody, reason=reason)
        said = await ordered(self._view, caller, verb, body, strategy=self._name)
        self.show(resting=verb == "pause")
        return f"{self._name} {done if said.get('changed') else before}."


async def _now(view: View, name: str, buttons: _Steering) -> Markup:
    resting = {account: row for (account, strategy), row in (await pauses(view)).items() if strategy == name}
    buttons.show(resting=view.house.parts.config().trading.account in resting)
    decided = await view.rows("strategies", 100, strategy=name)
    shown = stands(decided, list(resting.values()), view)
    profit = sum(float(str(row["pnl_quote"] or 0)) for row in await view.rows("pnl", 100, strategy=name))
    if not shown:
        return nothing("It has decided nothing in the last week: no trader follows it.")
    return facts([*shown, ("Profit", signed(profit))])


def stands(decided: Sequence[Record], resting: Sequence[Record], view: View) -> list[tuple[str, str | Markup]]:
    """Whether it trades, and what it decided last of each symbol."""
    now_ns = view.house.parts.clock.now_ns()
    shown: list[tuple[str, str | Markup]] = []
    for row in resting:
        told = f"since {moment(row['ts'], view.zone, now_ns=now_ns)}, by {row['actor']}: {row['reason'] or 'no reason'}"
        shown.append(("State", Markup("{} {}").format(badge(PAUSED), told)))
    if decided and not resting:
        shown.append(("State", badge(str(decided[0]["state"]))))
    for row in decided:
        what = Markup("{} {}").format(badge(str(row["action"])), number(row["target"], 3, sign=True))
        shown.append((f"{row['symbol']}, target", what))
    if decided:
        shown.append(("Decided", moment(max(int(str(row["ts"])) for row in decided), view.zone, now_ns=now_ns)))
    return shown


async def _held(view: View, name: str) -> Markup:
    rows = await view.rows("pnl", 500, strategy=name)
    return table("Positions", HELD, rows, view.reader, empty="It never held anything.")


async def _targets(view: View, name: str) -> dict[str, object]:
    rows = await _asked(view, "targets", name)
    by = ("symbol",) if len({row["number"] for row in rows}) == 1 else ("symbol", "number")
    labels, values = series(rows, by, "target", view.zone)
    return lines(labels, values, Ink.of(dark=view.dark), unit="target") if labels else {}


async def _asked(view: View, query: str, name: str) -> Sequence[Record]:
    (await view.caller()).require_within(strategy=name)
    return await ask(view, Permission.READ_RESEARCH, QUERIES[query], strategy=name)


async def _signals(view: View, name: str) -> Markup:
    rows = await view.rows("signals", 14, strategy=name)
    return table("Signals", SIGNALS, rows, view.reader, empty="No signal in the last day.")


async def _tally(view: View, name: str) -> Markup:
    caller = await view.caller()
    caller.require_within(strategy=name)
    rows = await ask(
        view, Permission.READ_TRADING, QUERIES["decided"], strategy=name, accounts=pattern(caller.scope.accounts)
    )
    return table("Decisions by rule", TALLY, rows, view.reader, empty="It decided nothing in the last day.")


async def _decided(view: View, name: str) -> Markup:
    rows = [{**row, "why": row["rule"] or row["reason"]} for row in await view.rows("decisions", 20, strategy=name)]
    return table("Decisions", DECISIONS, rows, view.reader, empty="It decided nothing in the last day.")


async def _tests(view: View, name: str) -> Markup:
    rows = await view.rows("backtests", 50, strategy=name)
    return table("Backtests", TESTS, rows, view.reader, empty="No backtest of it was run.")


async def _parity(view: View, name: str) -> Markup:
    rows = await view.rows("parity", 200, strategy=name)
    said = [{**row, "says": "equal" if row["equal"] else "differ"} for row in rows]
    differing = [row for row in said if not row["equal"]]
    told = f"Of {len(said)} newest decisions that were replayed, {len(differing)} differ."
    if not said:
        return nothing("No day of it was replayed in the last month. The job parity does it each night.")
    return Markup("<p>{}</p>{}").format(told, table("Differences", COMPARED, differing, view.reader))


async def _source(view: View, name: str) -> Markup:
    rows = await _asked(view, "texts", name)
    if not rows:
        return nothing(f"No view {name}_v1 or later is deployed here.")
    return Markup("").join(_version(row) for row in rows)


def _version(row: Record) -> Markup:
    made = link(f"{ROOT}/data/lineage?name={row['name']}", "what it is made from")
    return Markup("<p><code>{}</code>, {}</p>{}").format(row["name"], made, text_of_view(row))
