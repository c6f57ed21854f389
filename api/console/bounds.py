"""Limits beside what is used of them, written for people. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from api.commands import LimitBody
from api.console.deeds import deed
from api.console.formats import NONE, duration, number, share
from api.console.tables import Col, Form, Reader, table
from api.console.trader import said_of
from api.moments import moment_ns
from ares.control import Json
from ares.store import Record, Value

LIMITS = (
    Col("name", "Limit", Form.CODE),
    Col("scope", "Of"),
    Col("value", "Limit is", Form.HTML),
    Col("used", "Used, about", Form.HTML),
    Col("configured", "Setting"),
    Col("set_by", "Set by"),
    Col("since", "Since", Form.TIME),
)
WAITING = (
    Col("name", "Limit", Form.CODE),
    Col("scope", "Of"),
    Col("before", "From"),
    Col("value", "To"),
    Col("asked_by", "Asked by"),
    Col("since", "Since", Form.TIME),
    Col("reason", "Reason"),
    Col("deed", "", Form.HTML),
)
EVERYTHING = "the account"
WARN_SHARE = 0.8
FULL_SHARE = 1.0


@dataclass(frozen=True, slots=True)
class Book:
    """What an account holds and is worth, by rows: what limits are compared with."""

    exposure: Sequence[Record] = ()
    held: Sequence[Record] = ()
    equity: Record | None = None
    drawdown: float | None = None

    def worst_case(self, symbol: str = "") -> list[float]:
        """The most that open orders may make of each symbol, or of one."""
        rows = [row for row in self.exposure if symbol in ("", row["symbol"])]
        return [figure for row in rows if (figure := figure_of(row["worst_case_quote"])) is not None]

    def by_strategy(self, strategy: str = "") -> list[float]:
        """What each strategy holds, or one, at mark."""
        sums: dict[str, float] = defaultdict(float)
        for row in self.held:
            quantity, mark = figure_of(row["quantity"]), figure_of(row["mark"] or row["average_price"])
            if strategy in ("", row["strategy"]) and quantity is not None and mark is not None:
                sums[str(row["strategy"])] += abs(quantity * mark)
        return list(sums.values())

    def worth(self, name: str) -> float | None:
        """A figure of the account's newest row."""
        return None if self.equity is None else figure_of(self.equity[name])


def used(name: str, strategy: str, symbol: str, book: Book) -> float | None:
    """What counts against a limit now, in its unit; None for those that are of one order, or not known.

    >>> used("gross_exposure_quote_max", "", "", Book([{"symbol": "BTC/USDT", "worst_case_quote": -40.0}]))
    40.0
    """
    if strategy and name != "strategy_exposure_quote_max":
        return None
    measure = _USED.get(name)
    return measure(book, strategy, symbol) if measure else None


def _gross(book: Book, symbol: str) -> float:
    return sum(abs(each) for each in book.worst_case(symbol))


def _most(book: Book, symbol: str) -> float:
    return max((abs(each) for each in book.worst_case(symbol)), default=0.0)


def _of_worth(figure: float, book: Book) -> float | None:
    worth = book.worth("equity_quote")
    return figure / worth if worth else None


def _lost(book: Book) -> float | None:
    day = book.worth("day_pnl_quote")
    return None if day is None else max(0.0, -day)


_USED: Mapping[str, Callable[[Book, str, str], float | None]] = {
    "position_quote_max": lambda book, _, symbol: _most(book, symbol),
    "gross_exposure_quote_max": lambda book, _, symbol: _gross(book, symbol),
    "net_exposure_quote_max": lambda book, _, symbol: abs(sum(book.worst_case(symbol))),
    "strategy_exposure_quote_max": lambda book, strategy, _: max(book.by_strategy(strategy), default=0.0),
    "leverage_max": lambda book, _, symbol: _of_worth(_gross(book, symbol), book),
    "concentration_max": lambda book, _, symbol: _of_worth(_most(book, symbol), book),
    "daily_loss_quote_max": lambda book, _, __: _lost(book),
    "drawdown_max": lambda book, _, __: book.drawdown,
}


def limits_written(limits: Sequence[Mapping[str, object]], book: Book | None, reader: Reader) -> Markup:
    """Every limit: what it is, how much of it is used, what the settings say, who set it. No book: nothing is known."""
    rows = [_limit(each, book) for each in limits]
    return table("Limits", LIMITS, rows, reader, empty="No limit is known yet: the trader has not run here.")


def _limit(limit: Mapping[str, object], book: Book | None) -> Record:
    name, strategy, symbol, unit = (said_of(limit, each) for each in ("name", "strategy", "symbol", "unit"))
    bound = figure_of(limit.get("value"))
    taken = None if book is None else used(name, strategy, symbol, book)
    return {
        "name": name,
        "scope": scope_of(strategy, symbol),
        "value": Markup("<strong>{}</strong>").format(valued(bound, unit)) if bound is not None else "not limited",
        "used": meter(taken, bound, unit),
        "configured": valued(figure_of(limit.get("configured")), unit),
        "set_by": _agreed(limit),
        "since": _moment(limit.get("since")),
    }


def waiting_written(asked: Sequence[Mapping[str, object]], reader: Reader, *, may: bool) -> Markup:
    """Limits that were asked for and wait for somebody else to agree."""
    rows: list[Record] = []
    for each in asked:
        name, change = said_of(each, "name"), said_of(each, "id")
        rows.append(
            {
                "name": name,
                "scope": scope_of(said_of(each, "strategy"), said_of(each, "symbol")),
                "before": said_of(each, "before") or "not limited",
                "value": said_of(each, "value") or "its setting",
                "asked_by": said_of(each, "asked_by"),
                "since": _moment(each.get("since")),
                "reason": said_of(each, "reason"),
                "deed": deed("approve", change, "Approve", f"{name} {change}") if may else "",
            }
        )
    return table("Waiting for a second person", WAITING, rows, reader, empty="Nothing waits for a second person.")


def set_question(wish: LimitBody) -> str:
    """What is asked before a limit is set.

    >>> set_question(LimitBody(name="leverage_max", value="2"))[:42]
    'Set leverage_max of the account to 2? What'
    """
    scope = scope_of(wish.strategy, wish.symbol)
    to = f"to {wish.value}" if wish.value else "back to its setting"
    return f"Set {wish.name} of {scope} {to}? What loosens a limit may have to wait for a second person."


def agree_question(asked: Mapping[str, object]) -> str:
    """What is asked before a second person agrees to a limit."""
    scope = scope_of(said_of(asked, "strategy"), said_of(asked, "symbol"))
    before, value = said_of(asked, "before") or "not limited", said_of(asked, "value") or "its setting"
    why = said_of(asked, "reason") or "no reason given"
    by = said_of(asked, "asked_by")
    return f"Agree that {said_of(asked, 'name')} of {scope} goes from {before} to {value}? {by} asks: {why}."


def meter(taken: float | None, bound: float | None, unit: str) -> Markup:
    """How much of a limit is used: a bar, its figure and its share, in words as in colour."""
    if taken is None:
        return Markup("{}").format(NONE)
    if not bound:
        return Markup("{}").format(valued(taken, unit))
    part = taken / bound
    tone = "bad" if part >= FULL_SHARE else "warn" if part >= WARN_SHARE else "good"
    return Markup('<span class="meter {}"><i style="width:{}%"></i></span> {} <span class="hint">{}</span>').format(
        tone, f"{min(part, 1.0) * 100:.1f}", valued(taken, unit), share(part, 0)
    )


def valued(value: Value, unit: str) -> str:
    """A limit's figure in its unit.

    >>> valued(5000.0, "quote"), valued(0.2, "share"), valued(1.1, "factor"), valued(90.0, "s"), valued(None, "s")
    ('5,000.00', '20.00 %', '1.10 ×', '90 s', '–')
    """
    if value is None:
        return NONE
    match unit:
        case "share":
            return share(value)
        case "factor":
            return f"{number(value, 2)} ×"
        case "s":
            return duration(value)
        case "orders":
            return number(value, 0)
        case _:
            return number(value, 2)


def scope_of(strategy: str, symbol: str) -> str:
    """What a limit is of.

    >>> scope_of("", ""), scope_of("signal_momentum", "BTC/USDT")
    ('the account', 'signal_momentum, BTC/USDT')
    """
    return ", ".join(each for each in (strategy, symbol) if each) or EVERYTHING


def of_answer(answer: Mapping[str, Json], name: str) -> list[Mapping[str, object]]:
    """A list of objects that the trader told; what is none is left out."""
    found = answer.get(name)
    return [dict(each) for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _agreed(limit: Mapping[str, object]) -> str:
    by, agreed = said_of(limit, "set_by"), said_of(limit, "approved_by")
    return f"{by}, {agreed} agreed" if agreed else by


def _moment(text: object) -> int | None:
    return moment_ns("since", text) if isinstance(text, str) and text else None


def figure_of(value: object) -> float | None:
    """A figure of a row or of an answer, which says them as texts."""
    try:
        found = float(str(value)) if value not in (None, "") else None
    except ValueError:
        return None
    return found if found is not None and isfinite(found) else None
