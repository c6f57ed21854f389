"""Grades what is frozen by what headers demand, and turns that and the proofs into rows of `quality_checks`. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from analytics.catalog import Definition
from analytics.features.header import Check
from analytics.features.proof import Verdict
from ares.model.row import Cell, Row, UtcNs

Graded = Literal["ok", "warn", "fail"]

LOOK_AHEAD = "feature_look_ahead"
NOBODY = ""
"""The symbol of what is of all of them."""


class Frozen(NamedTuple):
    """What the frozen values of one view and symbol are like; numbers None where all are NULL."""

    rows: int
    nulls: int
    least: float | None
    most: float | None
    different: int


@dataclass(frozen=True, slots=True)
class Result:
    """A check of a view and a symbol: what was observed, what is demanded, and the grade."""

    view: str
    symbol: str
    check: str
    observed: float | None
    demanded: str
    grade: Graded
    demand: Check | None = None

    def shown(self) -> dict[str, object]:
        """A row for people and programs."""
        return {
            "view": self.view,
            "symbol": self.symbol,
            "check": self.check,
            "grade": self.grade,
            "observed": self.observed,
            "demanded": self.demanded,
        }


def graded(view: Definition, frozen: Mapping[str, Frozen]) -> list[Result]:
    """The checks of a view's header on what is frozen of it, by symbol."""
    checks = view.header().checks
    return [result_of(view.view, symbol, check, found) for symbol, found in frozen.items() for check in checks]


def result_of(view: str, symbol: str, check: Check, found: Frozen) -> Result:
    """One check on one symbol's values."""
    observed = observed_of(check, found)
    holds = observed is None or check.low <= observed <= check.high
    grade: Graded = "ok" if holds else check.grade
    return Result(view, symbol, f"feature_{check.what}", observed, check.limit, grade, check)


def observed_of(check: Check, found: Frozen) -> float | None:
    """The number that a check is about: of values the one that is furthest outside; None where all are NULL."""
    match check.what:
        case "null_share":
            return found.nulls / found.rows if found.rows else None
        case "distinct":
            return float(found.different)
        case "between":
            if found.least is None or found.most is None:
                return None
            return found.least if check.low - found.least > found.most - check.high else found.most


def looked(verdict: Verdict) -> Result:
    """What a proof found of a view. What was NULL in every bar is not proved, which is a warning."""
    name = verdict.view.view
    if verdict.different:
        told = str(verdict.leaks[0]) if verdict.leaks else "knows the future"
        return Result(name, NOBODY, LOOK_AHEAD, float(verdict.different), told, "fail")
    if not verdict.known:
        return Result(name, NOBODY, LOOK_AHEAD, None, f"NULL in all {verdict.cells} bars: nothing is proved", "warn")
    return Result(name, NOBODY, LOOK_AHEAD, 0.0, f"the same in all {verdict.cells} bars", "ok")


def quality_rows(results: Sequence[Result], venue: str, now_ns: int, from_ns: int) -> list[Row]:
    """Rows of `quality_checks`; the channel is the view that was checked."""
    return [_row(each, venue, now_ns, from_ns) for each in results]


def _row(result: Result, venue: str, now_ns: int, from_ns: int) -> Row:
    symbols = {
        "check_name": result.check,
        "venue": venue,
        "symbol": result.symbol,
        "channel": result.view,
        "grade": result.grade,
        "unit": "share" if result.check == "feature_null_share" else "count",
    }
    columns: dict[str, Cell] = {"span_from": UtcNs(from_ns), "span_to": UtcNs(now_ns), "detail": result.demanded}
    if result.check == "feature_between":
        symbols["unit"] = "value"
    if result.observed is not None:
        return Row("quality_checks", now_ns, symbols, {**columns, "observed": result.observed})
    return Row("quality_checks", now_ns, symbols, columns)
