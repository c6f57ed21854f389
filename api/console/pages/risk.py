"""Risk: whether trading is on and why, the switch that stops it, limits and what is used of them, what is at risk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from markupsafe import Markup
from nicegui import ui

from api.commands import LimitBody, ReasonBody
from api.console.act import Action, button, perform, refused, tell
from api.console.bounds import Book, agree_question, figure_of, limits_written, of_answer, set_question, waiting_written
from api.console.deeds import listen
from api.console.live import Panel, Panels, section
from api.console.now import trading_now
from api.console.tables import Col, Form, table
from api.console.trader import body_of, ordered, reason_of, said_of, told, told_or_why
from api.console.view import View
from api.moments import moment_ns
from api.resource import pattern
from ares.clock import DAY_NS, isoformat
from ares.errors import AccessDenied, AresError, StoreError, UsageError
from ares.security.access.door import Caller
from ares.security.access.roles import Permission
from ares.store import Record, load_queries

QUERIES = load_queries("api", "queries/console_risk.sql")
EXPOSURE = (
    Col("symbol", "Symbol", link="market?venue={venue}&symbol={symbol}"),
    Col("quantity", "Held", Form.AMOUNT),
    Col("held_quote", "At mark", Form.MONEY),
    Col("open_buys_quote", "Open buys", Form.MONEY),
    Col("open_sells_quote", "Open sells", Form.MONEY),
    Col("worst_case_quote", "At most", Form.MONEY),
)
CHANGES = (
    Col("ts", "Time", Form.TIME),
    Col("name", "Limit", Form.CODE),
    Col("strategy", "Strategy"),
    Col("symbol", "Symbol"),
    Col("status", "Was", Form.STATE),
    Col("before", "From", Form.RATIO),
    Col("value", "To", Form.RATIO),
    Col("unit", "Unit"),
    Col("actor", "By"),
    Col("approved_by", "Agreed"),
    Col("reason", "Reason"),
)
STATES = (
    Col("ts", "Time", Form.TIME),
    Col("state", "State", Form.STATE),
    Col("actor", "By"),
    Col("reason", "Reason"),
)
WHY = (
    Col("strategy", "Strategy", link="strategies/{strategy}"),
    Col("symbol", "Symbol"),
    Col("why", "Why"),
    Col("decided_at", "Decided", Form.TIME),
)
ALERT_DAYS, ALERT_STEPS_MAX = 90, 10_000
ALERTS = (
    Col("ts", "Since", Form.TIME),
    Col("severity", "Severity", Form.STATE),
    Col("name", "Alert"),
    Col("summary", "Says"),
)


async def build(view: View) -> None:
    """The page that people open in a hurry: what stops trading comes first."""
    panels = Panels(view)
    state = panels.add("Trading", lambda: trading_now(view), follows=("state", "equity"), every_s=3)
    _switch(view, state)
    panels.add("Why nothing is traded", lambda: _why(view), follows=("decisions", "state"), every_s=10, size="full")
    form = LimitForm(view) if view.may(Permission.SET_LIMITS) else None
    limits = panels.add("Limits", lambda: _limits(view, form), follows=("limits", "exposure"), every_s=10, size="full")
    waiting = panels.add("Waiting for a second person", lambda: _waiting(view), follows=("limits",), size="full")
    if form is not None:
        form.show(limits, waiting)
    panels.add("Exposure", lambda: _exposure(view), follows=("exposure",), every_s=5)
    if view.may(Permission.READ_OPERATIONS):
        panels.add("Alerts that fire", lambda: _alerts(view), every_s=10)
    panels.add("Limits that changed", lambda: _rows(view, "limit-changes", CHANGES, "Nobody changed a limit."),
               follows=("limits",), size="full")  # fmt: skip
    panels.add("States before", lambda: _rows(view, "trading-state", STATES, "No trader has run here yet."),
               follows=("state",), size="full")  # fmt: skip
    await panels.settle()


def _switch(view: View, state: Panel) -> None:
    """Halt, flatten, resume. They go to the trader itself: no database is needed for any of them."""

    def works(verb: str, said: str) -> Action:
        async def work(caller: Caller, reason: str) -> str:
            answer = await ordered(view, caller, verb, body_of(ReasonBody, reason=reason))
            return said.format(state=said_of(answer, "state"), cancels=said_of(answer, "cancels_asked") or "0")

        return _SWITCHES[verb](work)

    with section("Stop"), ui.element("div").classes("switch"):
        if not (view.may(Permission.HALT) or view.may(Permission.RESUME)):
            ui.html(Markup('<p class="empty">Your role stops and starts nothing.</p>'), sanitize=False)
            return
        said = "Trading is {state}; {cancels} orders were asked to be cancelled."
        halt = works("halt", said)
        flatten = works("flatten", "Trading is {state}, and positions are closed.")
        resume = works("resume", "Trading is {state}.")
        for action in (halt, flatten, resume):
            button(view, action, done=state.wanted.set).classes("big")
        ui.html(Markup('<p class="hint">{}</p>').format(_SWITCH_HINT), sanitize=False)


_SWITCH_HINT = (
    "Halt: no new orders; open ones are cancelled, but for those that protect a position. Flatten: halt, and close "
    "every position at the market. It stays halted until somebody resumes."
)
_SWITCHES = {
    "halt": lambda work: Action("Halt", Permission.HALT, work, "Halt all trading now?", grave=True),
    "flatten": lambda work: Action(
        "Flatten", Permission.HALT, work, "Halt, and sell everything at the market now? This cannot be undone.",
        grave=True,
    ),
    "resume": lambda work: Action("Resume", Permission.RESUME, work, "Let all strategies trade again?"),
}  # fmt: skip


async def _why(view: View) -> Markup:
    answer, why_not = await told_or_why(view, "why")
    if answer is None:
        return Markup('<p class="empty">{}</p>').format(why_not)
    rows: list[Record] = []
    for line in of_answer(answer, "lines"):
        at = said_of(line, "decided_at")
        words = {name: said_of(line, name) for name in ("strategy", "symbol", "why")}
        rows.append({**words, "decided_at": moment_ns("decided_at", at) if at else None})
    return table("Why nothing is traded", WHY, rows, view.reader, empty="No strategy is set to trade here.")


class LimitForm:
    """Set one limit. Which there are it learns from the panel that shows them."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._names: list[str] = []
        self._name: ui.select | None = None
        self._wish: LimitBody | None = None

    def know(self, names: Sequence[str]) -> None:
        """Offer these."""
        if names != self._names:
            self._names = list(names)
            if self._name is not None:
                self._name.set_options(self._names)

    def show(self, limits: Panel, waiting: Panel) -> None:
        """The form, and the buttons beside what waits for a second person."""
        view = self._view
        with section("Set a limit", "full"), ui.element("div").classes("row-of"):
            self._name = (
                ui.select(self._names, label="Limit").props("outlined dense options-dense").classes("instrument")
            )
            value, strategy, symbol = (
                ui.input(label).props("outlined dense maxlength=100")
                for label in ("Value, or empty: its setting", "Strategy, or all", "Symbol, or all")
            )

            def question() -> str:
                assert self._name is not None, "the form is shown"
                given = {"name": str(self._name.value or ""), "value": str(value.value)}
                self._wish = body_of(LimitBody, **given, strategy=str(strategy.value), symbol=str(symbol.value))
                return set_question(self._wish)

            async def work(caller: Caller, reason: str) -> str:
                assert self._wish is not None, "it was asked for before"
                said = await ordered(view, caller, "limit", self._wish, reason=reason_of(reason))
                bound = said_of(said, "value") or "as the settings say"
                holds = "from the next cycle on" if said.get("holds") else "is asked for; another person must agree"
                return f"{said_of(said, 'name')}: {bound} {holds}."

            def again() -> None:
                limits.wanted.set()
                waiting.wanted.set()

            button(view, Action("Set limit", Permission.SET_LIMITS, work, question), done=again)

        async def approve(word: str, change: str) -> None:
            async def agree(caller: Caller, reason: str) -> str:
                said = await ordered(view, caller, "approve", body_of(ReasonBody, reason=reason), id=change)
                return f"{said_of(said, 'name')}: {said_of(said, 'value') or 'its setting'} from the next cycle on."

            if word != "approve":
                return
            try:
                question = agree_question(await _asked(view, change))
            except AccessDenied as error:
                refused(error)
            except AresError as error:
                tell(str(error), good=False)
            else:
                await perform(view, Action("Approve", Permission.SET_LIMITS, agree, question), again)

        listen(waiting.html, approve)


async def _asked(view: View, change: str) -> Mapping[str, object]:
    """A change that waits, as the trader has it now. Raises `NoTrader`, `AccessDenied`, `UsageError`."""
    for each in of_answer(await told(view, "limits"), "asked"):
        if said_of(each, "id") == change:
            return each
    raise UsageError(f"{change}: does not wait any more. Somebody agreed, or it was asked for anew")


async def _limits(view: View, form: LimitForm | None) -> Markup:
    answer, why_not = await told_or_why(view, "limits")
    limits = of_answer(answer, "limits") if answer is not None else await _limits_of_rows(view)
    if form is not None:
        form.know([said_of(each, "name") for each in limits if not (each.get("strategy") or each.get("symbol"))])
    try:
        book = await _book(view)
        scale = await view.rows("decisions", 1)
    except StoreError:
        book, scale = None, ()
    return Markup("{}{}{}").format(
        Markup('<p class="failed" role="status">{}</p>').format(why_not) if why_not else "",
        limits_written(limits, book, view.reader),
        _drawn_in(scale),
    )


def _drawn_in(newest: Sequence[Record]) -> Markup:
    scale = figure_of(newest[0]["limit_scale"]) if newest else None
    if scale is None or scale >= 1:
        return Markup("")
    words = "Limits on exposure count {:.0%} of this now: the market is wild, or we lose."
    return Markup("<p>{}</p>").format(words.format(scale))


async def _limits_of_rows(view: View) -> list[Mapping[str, object]]:
    account = view.house.parts.config().trading.account
    rows = await view.rows("limits", 200, account=account)
    return [{**row, "set_by": "somebody" if row["origin"] == "set" else ""} for row in rows]


async def _book(view: View) -> Book:
    """What the trader's account holds and is worth. Raises `StoreError`."""
    account = view.house.parts.config().trading.account
    exposure, held, equity = await asyncio.gather(
        view.rows("exposure", 1_000, account=account),
        view.rows("pnl", 1_000, account=account),
        view.rows("equity", 1, account=account),
    )
    caller = await view.caller(Permission.READ_TRADING)
    asked = {"accounts": pattern(caller.scope.accounts)}
    fell = await view.house.parts.database.fetch(QUERIES["drawdown"], asked)
    drawdown = next((figure_of(row["drawdown"]) for row in fell if row["account"] == account), None)
    return Book(exposure, held, equity[0] if equity else None, drawdown)


async def _waiting(view: View) -> Markup:
    answer, why_not = await told_or_why(view, "limits")
    if answer is None:
        return Markup('<p class="empty">{}</p>').format(why_not)
    return waiting_written(of_answer(answer, "asked"), view.reader, may=view.may(Permission.SET_LIMITS))


async def _exposure(view: View) -> Markup:
    rows = [row for row in await view.rows("exposure", 500) if row["held_quote"] or row["worst_case_quote"]]
    return table("Exposure", EXPOSURE, rows, view.reader, empty="Nothing is held and no order stands.")


async def _rows(view: View, path: str, columns: Sequence[Col], empty: str) -> Markup:
    return table(path, columns, await view.rows(path, 20), view.reader, empty=empty)


async def _alerts(view: View) -> Markup:
    since = isoformat(view.house.parts.clock.now_ns() - ALERT_DAYS * DAY_NS)
    rows = firing(await view.rows("alerts", ALERT_STEPS_MAX, since=since))
    return table("Alerts that fire", ALERTS, rows, view.reader, empty="No alert fires.")


def firing(steps: Sequence[Record]) -> list[Record]:
    """Firings that have not ended. `steps`: newest first.

    >>> [row["stream"] for row in firing([
    ...     {"stream": "alert/a", "step": "ended"}, {"stream": "alert/b", "step": "fired"},
    ...     {"stream": "alert/a", "step": "fired"}, {"stream": "alert_action/trader", "step": "acted"},
    ... ])]
    ['alert/b']
    """
    newest: dict[str, Record] = {}
    for row in steps:
        newest.setdefault(str(row["stream"]), row)
    return [row for row in newest.values() if row["step"] == "fired"]
